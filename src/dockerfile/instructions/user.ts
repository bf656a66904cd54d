import type { Node } from '../ast.js';
import { parseFlags } from '../flags.js';
import { baseOf, oneArgument, type InstructionBase } from './base.js';

export interface UserInstruction extends InstructionBase<'user'> {
  readonly user: string;
}

export function parseUser(node: Node): UserInstruction {
  const user = oneArgument(node, 'USER');
  parseFlags(node.flags, {});
  return { ...baseOf('user', node), user };
}
