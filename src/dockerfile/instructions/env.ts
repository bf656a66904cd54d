import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { baseOf, type InstructionBase } from './base.js';
import { parseKeyValues, type KeyValue } from './key-values.js';

export interface EnvInstruction extends InstructionBase<'env'> {
  readonly pairs: readonly KeyValue[];
}

export function parseEnv(node: Node): EnvInstruction {
  parseFlags(node.flags, {});
  return { ...baseOf('env', node), pairs: parseKeyValues(node, 'ENV') };
}
