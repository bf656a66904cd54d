import type { Node } from '../ast.js';
import { Fault } from '../diagnostic.js';
import { parseFlags } from '../flags.js';
import { atLeastOneArgument, baseOf, type InstructionBase } from './base.js';

export interface ShellInstruction extends InstructionBase<'shell'> {
  readonly shell: readonly string[];
}

export function parseShell(node: Node): ShellInstruction {
  parseFlags(node.flags, {});
  const shell = atLeastOneArgument(node, 'SHELL');
  if (!node.json) {
    throw new Fault(
      'json-form',
      'SHELL requires the arguments to be in JSON form',
      'write it as SHELL ["/bin/sh", "-c"]',
    );
  }
  return { ...baseOf('shell', node), shell };
}
