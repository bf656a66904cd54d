import { flatArgs, type Node } from '../ast.js';
import { Fault } from '../diagnostic.js';
import { chompHeredoc, heredocOf, type Heredoc } from '../heredoc.js';

/** A file written in the Dockerfile itself. */
export interface InlineFile {
  /** The heredoc's delimiter, which names the file. */
  readonly path: string;
  readonly data: string;
  readonly expand: boolean;
}

/** What ADD and COPY copy, and where to; not yet expanded. */
export interface SourcesAndDest {
  readonly sources: readonly string[];
  readonly inlineFiles: readonly InlineFile[];
  readonly dest: string;
}

export function requireDestination(node: Node, keyword: string): void {
  if (flatArgs(node).length < 2) {
    throw new Fault(
      'arguments',
      `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  }
}

export function parseSourcesAndDest(node: Node, keyword: string): SourcesAndDest {
  const args = flatArgs(node);
  const dest = args[args.length - 1]!;
  if (safeHeredocOf(dest)) throw new Fault('heredoc', `${keyword} cannot accept a heredoc as a destination`);
  const bodies = new Map(node.heredocs.map((heredoc) => [heredoc.name, heredoc.content]));
  const sources: string[] = [];
  const inlineFiles: InlineFile[] = [];
  for (const source of args.slice(0, -1)) {
    const heredoc = safeHeredocOf(source);
    if (heredoc === undefined) {
      sources.push(source);
      continue;
    }
    const body = bodies.get(heredoc.name) ?? ''; // the JSON form has heredoc words without bodies
    const data = heredoc.chomp ? chompHeredoc(body) : body;
    inlineFiles.push({ path: heredoc.name, data, expand: heredoc.expand });
  }
  return { sources, inlineFiles, dest };
}

/** A word with quotes that do not match is an ordinary word here. */
function safeHeredocOf(word: string): Heredoc | undefined {
  try {
    return heredocOf(word);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
