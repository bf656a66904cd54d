import type { Node } from '../ast.js';
import { Fault } from '../diagnostic.js';
import { atLeastOneArgument, baseOf, docComment, type InstructionBase } from './base.js';

export interface ArgDefinition {
  readonly key: string;
  /** undefined: no default. */
  readonly value: string | undefined;
  readonly docComment: string | undefined;
}

export interface ArgInstruction extends InstructionBase<'arg'> {
  readonly args: readonly ArgDefinition[];
}

export function parseArg(node: Node): ArgInstruction {
  const args = atLeastOneArgument(node, 'ARG').map((word): ArgDefinition => {
    const equals = word.indexOf('=');
    if (equals === 0) throw new Fault('arguments', 'ARG names can not be blank');
    const key = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    return { key, value, docComment: docComment(node.comments, key) };
  });
  return { ...baseOf('arg', node), args };
}
