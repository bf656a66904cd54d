import type { Node } from '../ast.js';
import { Fault } from '../diagnostic.js';
import { parseFlags } from '../flags.js';
import { trim } from '../go-text.js';
import { atLeastOneArgument, baseOf, type InstructionBase } from './base.js';

export interface VolumeInstruction extends InstructionBase<'volume'> {
  readonly volumes: readonly string[];
}

export const EMPTY_VOLUME = 'VOLUME specified can not be an empty string';

export function parseVolume(node: Node): VolumeInstruction {
  const args = atLeastOneArgument(node, 'VOLUME');
  parseFlags(node.flags, {});
  const volumes = args.map(trim);
  if (volumes.includes('')) throw new Fault('arguments', EMPTY_VOLUME);
  return { ...baseOf('volume', node), volumes };
}
