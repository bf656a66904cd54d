import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { baseOf, type InstructionBase } from './base.js';
import { parseKeyValues, type KeyValue } from './key-values.js';

export interface LabelInstruction extends InstructionBase<'label'> {
  readonly pairs: readonly KeyValue[];
}

export function parseLabel(node: Node): LabelInstruction {
  parseFlags(node.flags, {});
  return { ...baseOf('label', node), pairs: parseKeyValues(node, 'LABEL') };
}
