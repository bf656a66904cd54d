import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { baseOf, type InstructionBase } from './base.js';
import { parseSourcesAndDest, requireDestination, type SourcesAndDest } from './sources.js';

export interface AddInstruction extends InstructionBase<'add'>, SourcesAndDest {
  readonly chown: string;
  readonly chmod: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
  readonly checksum: string;
  /** undefined: not said. */
  readonly keepGitDir: boolean | undefined;
  readonly unpack: boolean | undefined;
}

export function parseAdd(node: Node): AddInstruction {
  requireDestination(node, 'ADD');
  const flags = parseFlags(node.flags, {
    chown: 'string',
    chmod: 'string',
    link: 'bool',
    'keep-git-dir': 'bool',
    checksum: 'string',
    unpack: 'bool',
    exclude: 'strings',
  });
  return {
    ...baseOf('add', node),
    ...parseSourcesAndDest(node, 'ADD'),
    chown: flags.chown ?? '',
    chmod: flags.chmod ?? '',
    link: flags.link ?? false,
    exclude: flags.exclude ?? [],
    checksum: flags.checksum ?? '',
    keepGitDir: flags['keep-git-dir'],
    unpack: flags.unpack,
  };
}
