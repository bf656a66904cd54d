import { flatArgs, type Node } from '../ast.js';
import { Fault } from '../diagnostic.js';
import { parseFlags } from '../flags.js';
import { quote } from '../go-text.js';
import { baseOf, docComment, type InstructionBase } from './base.js';

export interface FromInstruction extends InstructionBase<'from'> {
  /** Stage, named context, image or `scratch`; not yet expanded. */
  readonly base: string;
  /** In lower case; '' for a stage without a name. */
  readonly name: string;
  /** The name and the `AS` before it as written. */
  readonly as: { readonly keyword: string; readonly name: string } | undefined;
  /** '' when not given; not yet expanded. */
  readonly platform: string;
  readonly docComment: string | undefined;
}

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

export function parseFrom(node: Node): FromInstruction {
  const args = flatArgs(node);
  const as = stageName(args);
  const flags = parseFlags(node.flags, { platform: 'string' });
  const name = as?.name.toLowerCase() ?? '';
  return {
    ...baseOf('from', node),
    base: args[0]!,
    name,
    as,
    platform: flags.platform ?? '',
    docComment: docComment(node.comments, name),
  };
}

function stageName(args: readonly string[]): FromInstruction['as'] {
  const [, keyword, name] = args;
  if (args.length === 3 && keyword!.toLowerCase() === 'as') {
    if (!STAGE_NAME.test(name!.toLowerCase())) {
      throw new Fault(
        'stage-name',
        `invalid name for build stage: ${quote(name!)}, name can't start with a number or contain symbols`,
      );
    }
    return { keyword: keyword!, name: name! };
  }
  if (args.length !== 1) {
    throw new Fault(
      'arguments',
      'FROM requires either one or three arguments',
      'write `FROM image` or `FROM image AS name`',
    );
  }
  return undefined;
}
