import type { Node } from '../ast.js';
import { Fault } from '../diagnostic.js';
import { parseFlags } from '../flags.js';
import { trim } from '../go-text.js';
import { atLeastOneArgument, baseOf, type InstructionBase } from './base.js';

export interface OnbuildInstruction extends InstructionBase<'onbuild'> {
  /** The stored instruction as text, with the bodies of its heredocs. */
  readonly expression: string;
}

const ONBUILD = /^[\t\n\f\r ]*ONBUILD[\t\n\f\r ]*/i;

export function parseOnbuild(node: Node): OnbuildInstruction {
  const [trigger] = atLeastOneArgument(node, 'ONBUILD');
  parseFlags(node.flags, {});
  const keyword = trim(trigger!).toUpperCase();
  if (keyword === 'ONBUILD') throw new Fault('onbuild', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (keyword === 'MAINTAINER' || keyword === 'FROM') {
    throw new Fault('onbuild', `${keyword} isn't allowed as an ONBUILD trigger`);
  }
  const bodies = node.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`);
  return { ...baseOf('onbuild', node), expression: node.original.replace(ONBUILD, '') + bodies.join('') };
}
