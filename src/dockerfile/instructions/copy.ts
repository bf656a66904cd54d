import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { baseOf, type InstructionBase } from './base.js';
import { parseSourcesAndDest, requireDestination, type SourcesAndDest } from './sources.js';

export interface CopyInstruction extends InstructionBase<'copy'>, SourcesAndDest {
  /** Stage, stage number, named context or image; '' is the build context. */
  readonly from: string;
  readonly chown: string;
  readonly chmod: string;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
}

export function parseCopy(node: Node): CopyInstruction {
  requireDestination(node, 'COPY');
  const flags = parseFlags(node.flags, {
    chown: 'string',
    from: 'string',
    chmod: 'string',
    link: 'bool',
    exclude: 'strings',
    parents: 'bool',
  });
  return {
    ...baseOf('copy', node),
    ...parseSourcesAndDest(node, 'COPY'),
    from: flags.from ?? '',
    chown: flags.chown ?? '',
    chmod: flags.chmod ?? '',
    link: flags.link ?? false,
    parents: flags.parents ?? false,
    exclude: flags.exclude ?? [],
  };
}
