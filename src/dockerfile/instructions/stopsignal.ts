import type { Node } from '../ast.js';
import { baseOf, oneArgument, type InstructionBase } from './base.js';

export interface StopsignalInstruction extends InstructionBase<'stopsignal'> {
  readonly signal: string;
}

/** Flags are not looked at, as in BuildKit. */
export function parseStopsignal(node: Node): StopsignalInstruction {
  return { ...baseOf('stopsignal', node), signal: oneArgument(node, 'STOPSIGNAL') };
}
