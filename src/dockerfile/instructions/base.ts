import { flatArgs, type Node } from '../ast.js';
import { Fault, type LineRange } from '../diagnostic.js';
import { trim } from '../go-text.js';
import type { Heredoc } from '../heredoc.js';

/** What every instruction has. `kind` is the keyword in lower case. */
export interface InstructionBase<K extends string> {
  readonly kind: K;
  /** As written. */
  readonly keyword: string;
  readonly range: LineRange;
  /** The logical line: continuations joined, comments left out. */
  readonly original: string;
  readonly flags: readonly string[];
  readonly heredocs: readonly Heredoc[];
  /** Text of the comment lines directly above. */
  readonly comments: readonly string[];
}

export function baseOf<K extends string>(kind: K, node: Node): InstructionBase<K> {
  return {
    kind,
    keyword: node.keyword,
    range: node.range,
    original: trim(node.original),
    flags: node.flags,
    heredocs: node.heredocs,
    comments: node.comments,
  };
}

/** The only argument, else a Fault. */
export function oneArgument(node: Node, keyword: string): string {
  const args = flatArgs(node);
  if (args.length !== 1) throw new Fault('arguments', `${keyword} requires exactly one argument`);
  return args[0]!;
}

export function atLeastOneArgument(node: Node, keyword: string): readonly string[] {
  const args = flatArgs(node);
  if (args.length === 0) throw new Fault('arguments', `${keyword} requires at least one argument`);
  return args;
}

/** The text of the comment line above that starts with `name`. */
export function docComment(comments: readonly string[], name: string): string | undefined {
  if (name === '') return undefined;
  return comments.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
}
