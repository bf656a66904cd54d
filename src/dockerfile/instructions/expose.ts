import { compareBytes, fromText } from '../../base/bytes.js';
import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { atLeastOneArgument, baseOf, type InstructionBase } from './base.js';

export interface ExposeInstruction extends InstructionBase<'expose'> {
  /** In byte order, not yet expanded. */
  readonly ports: readonly string[];
}

export function parseExpose(node: Node): ExposeInstruction {
  const ports = [...atLeastOneArgument(node, 'EXPOSE')].sort((a, b) => compareBytes(fromText(a), fromText(b)));
  parseFlags(node.flags, {});
  return { ...baseOf('expose', node), ports };
}
