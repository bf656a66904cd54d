import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { baseOf, oneArgument, type InstructionBase } from './base.js';

export interface MaintainerInstruction extends InstructionBase<'maintainer'> {
  readonly maintainer: string;
}

export function parseMaintainer(node: Node): MaintainerInstruction {
  const maintainer = oneArgument(node, 'MAINTAINER');
  parseFlags(node.flags, {});
  return { ...baseOf('maintainer', node), maintainer };
}
