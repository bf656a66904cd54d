import type { LineRange } from './diagnostic.js';
import { quote, quoteList } from './go-text.js';
import type { Heredoc } from './heredoc.js';

/** One instruction as the line parser sees it: words, not yet meaning. */
export interface Node {
  /** As written; case does not matter. */
  readonly keyword: string;
  readonly flags: readonly string[];
  readonly args: readonly string[];
  /** What ONBUILD stores. */
  readonly child?: Node;
  /** The arguments were written as a JSON array. */
  readonly json: boolean;
  /** The logical line: continuations joined, comments left out. */
  readonly original: string;
  readonly heredocs: readonly Heredoc[];
  /** Text of the comment lines directly above. */
  readonly comments: readonly string[];
  readonly range: LineRange;
}

/** The nodes as S-expressions, one a line: `(copy ["--chown=1"] "a" "/b")`. */
export function dumpAst(nodes: readonly Node[]): string {
  return nodes.map((node) => `(${dumpNode(node)})\n`).join('');
}

function dumpNode(node: Node): string {
  let out = node.keyword.toLowerCase();
  if (node.flags.length > 0) out += ` ${quoteList(node.flags)}`;
  if (node.child) return `${out} (${dumpNode(node.child)})`;
  for (const arg of node.args) out += ` ${quote(arg)}`;
  return out;
}

/** The arguments with those of a stored instruction laid flat: ONBUILD RUN x gives RUN, x. */
export function flatArgs(node: Node): readonly string[] {
  return node.child ? [node.child.keyword, ...flatArgs(node.child)] : node.args;
}
