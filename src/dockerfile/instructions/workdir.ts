import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { baseOf, oneArgument, type InstructionBase } from './base.js';

export interface WorkdirInstruction extends InstructionBase<'workdir'> {
  readonly path: string;
}

export function parseWorkdir(node: Node): WorkdirInstruction {
  const path = oneArgument(node, 'WORKDIR');
  parseFlags(node.flags, {});
  return { ...baseOf('workdir', node), path };
}
