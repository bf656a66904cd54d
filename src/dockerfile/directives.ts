import { Fault } from './diagnostic.js';
import { trimLeft } from './go-text.js';

export type DirectiveName = 'syntax' | 'escape' | 'check';

/** `# name=value` at the top of a Dockerfile; `line` is 1-based. */
export interface Directive {
  readonly name: DirectiveName;
  readonly value: string;
  readonly line: number;
}

const NAMES: readonly string[] = ['syntax', 'escape', 'check'] satisfies DirectiveName[];
const FORM = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=([^\n]+)$/;

/** Reads parser directives line by line. The first line that is not a known directive ends them for good. */
export class DirectiveReader {
  readonly #comment: string;
  readonly #seen = new Set<string>();
  #line: number;
  #done = false;

  constructor(comment = '#', line = 0) {
    this.#comment = comment;
    this.#line = line;
  }

  /** Throws a Fault for a second directive of one name. */
  read(line: string): Directive | undefined {
    this.#line++;
    if (this.#done) return undefined;
    const match = line.startsWith(this.#comment) ? FORM.exec(trimLeft(line.slice(this.#comment.length))) : null;
    const name = match?.[1]!.toLowerCase();
    if (match === null || name === undefined || !NAMES.includes(name)) {
      this.#done = true;
      return undefined;
    }
    if (this.#seen.has(name)) {
      throw new Fault('directive', `only one ${name} parser directive can be used`);
    }
    this.#seen.add(name);
    return { name: name as DirectiveName, value: trimValue(match[2]!), line: this.#line };
  }
}

/** Without white space around it; of nothing but white space, the last character. */
function trimValue(value: string): string {
  const blank = (char: string): boolean => '\t\n\f\r '.includes(char);
  let start = 0;
  let end = value.length;
  while (start < end - 1 && blank(value.charAt(start))) start++;
  while (end > start + 1 && blank(value.charAt(end - 1))) end--;
  return value.slice(start, end);
}

/** The directives at the top of `source`. Throws a Fault for a duplicate. */
export function parseDirectives(source: string): readonly Directive[] {
  const found: Directive[] = [];
  collect(source, new DirectiveReader(), found);
  return found;
}

export interface FoundDirective {
  /** First word of the value. */
  readonly value: string;
  readonly cmdline: string;
  readonly line: number;
}

/** One directive of `source`, which may start with a byte order mark and a `#!` line. Never throws. */
export function findDirective(name: DirectiveName, source: string): FoundDirective | undefined {
  const { text, line } = body(source);
  return find(name, text, new DirectiveReader('#', line));
}

/** The `syntax` directive in any of the forms BuildKit knows: `# syntax=`, `// syntax=` and `{"syntax": ...}`. */
export function detectSyntax(source: string): FoundDirective | undefined {
  const { text, line } = body(source);
  return (
    find('syntax', text, new DirectiveReader('#', line)) ??
    find('syntax', text, new DirectiveReader('//', line)) ??
    jsonSyntax(text, line)
  );
}

function body(source: string): { readonly text: string; readonly line: number } {
  const text = source.replace(/^\ufeff/, '');
  if (!text.startsWith('#!')) return { text, line: 0 };
  const end = text.indexOf('\n');
  return { text: end < 0 ? '' : text.slice(end + 1), line: 1 };
}

function find(name: DirectiveName, text: string, reader: DirectiveReader): FoundDirective | undefined {
  const all: Directive[] = [];
  try {
    collect(text, reader, all);
  } catch (error) {
    if (!(error instanceof Fault)) throw error; // what stands above a duplicate still counts
  }
  const found = all.find((one) => one.name === name);
  return found && { value: found.value.split(' ', 1)[0]!, cmdline: found.value, line: found.line };
}

function collect(text: string, reader: DirectiveReader, into: Directive[]): void {
  for (const line of text.split('\n')) {
    const directive = reader.read(line.replace(/\r$/, ''));
    if (directive === undefined) return;
    into.push(directive);
  }
}

function jsonSyntax(text: string, line: number): FoundDirective | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  const value: unknown = (parsed as Readonly<Record<string, unknown>>)['syntax'];
  return typeof value === 'string' ? { value, cmdline: value, line } : undefined;
}
