import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { baseOf, type InstructionBase } from './base.js';
import { parseCommandLine, type CommandLine } from './command-line.js';

export interface EntrypointInstruction extends InstructionBase<'entrypoint'> {
  readonly command: CommandLine;
}

export function parseEntrypoint(node: Node): EntrypointInstruction {
  parseFlags(node.flags, {});
  return { ...baseOf('entrypoint', node), command: parseCommandLine(node) };
}
