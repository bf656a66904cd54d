import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { baseOf, type InstructionBase } from './base.js';
import { parseCommandLine, type CommandLine } from './command-line.js';

export interface CmdInstruction extends InstructionBase<'cmd'> {
  readonly command: CommandLine;
}

export function parseCmd(node: Node): CmdInstruction {
  parseFlags(node.flags, {});
  return { ...baseOf('cmd', node), command: parseCommandLine(node) };
}
