import type { Node } from './ast.js';
import { Fault, type Diagnostic, type LineRange } from './diagnostic.js';
import { DirectiveReader, type Directive } from './directives.js';
import { trim, trimLeft } from './go-text.js';
import { heredocsOfLine, trimLeadingTabs, type Heredoc } from './heredoc.js';
import { LineReader } from './line-reader.js';
import { parseNode } from './node-parser.js';
import type { EscapeToken } from './words.js';

/** A Dockerfile as nodes. Nodes that could not be made are left out and have their fault in `faults`. */
export interface Ast {
  readonly nodes: readonly Node[];
  readonly escape: EscapeToken;
  readonly directives: readonly Directive[];
  /** Continuations that are followed by an empty line: `line` is the last of the instruction, `text` all of it. */
  readonly emptyContinuations: readonly { readonly line: number; readonly text: string }[];
  readonly faults: readonly Diagnostic[];
}

export function parseAst(source: string): Ast {
  return new AstParser(source).parse();
}

const CONTINUATION: Readonly<Record<EscapeToken, RegExp>> = {
  '\\': /([^\\])\\[ \t]*$|^\\[ \t]*$/,
  '`': /([^`])`[ \t]*$|^`[ \t]*$/,
};

const WITH_HEREDOCS: ReadonlySet<string> = new Set(['add', 'copy', 'run']);

class AstParser {
  readonly #reader: LineReader;
  readonly #directiveReader = new DirectiveReader();
  readonly #nodes: Node[] = [];
  readonly #directives: Directive[] = [];
  readonly #emptyContinuations: { readonly line: number; readonly text: string }[] = [];
  readonly #faults: Diagnostic[] = [];
  #escape: EscapeToken = '\\';
  #comments: string[] = [];

  constructor(source: string) {
    this.#reader = new LineReader(source);
  }

  parse(): Ast {
    for (let raw = this.#reader.next(); raw !== undefined; raw = this.#reader.next()) {
      this.#logicalLine(this.#reader.line === 1 ? raw.replace(/^\ufeff/, '') : raw);
    }
    const end = { startLine: Math.max(1, this.#reader.line), endLine: Math.max(1, this.#reader.line) };
    if (this.#reader.tooLong) {
      const line = this.#reader.line + 1;
      this.#fault('line-length', LineReader.tooLongMessage, { startLine: line, endLine: line });
    } else if (this.#nodes.length === 0 && this.#faults.length === 0) {
      this.#fault('empty', 'file with no instructions', end);
    }
    return {
      nodes: this.#nodes,
      escape: this.#escape,
      directives: this.#directives,
      emptyContinuations: this.#emptyContinuations,
      faults: this.#faults,
    };
  }

  #fault(rule: string, message: string, range: LineRange, hint?: string): void {
    this.#faults.push({ severity: 'error', rule, message, range, ...(hint === undefined ? {} : { hint }) });
  }

  /** Runs `task`; a Fault becomes a diagnostic at `range()`. */
  #guard<T>(range: () => LineRange, task: () => T): T | undefined {
    try {
      return task();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#fault(error.rule, error.message, range(), error.hint);
      return undefined;
    }
  }

  #logicalLine(raw: string): void {
    const startLine = this.#reader.line;
    const range = (): LineRange => ({ startLine, endLine: this.#reader.line });
    const comment = isComment(raw);
    if (comment) this.#comment(trim(raw.slice(1)));
    const first = trimLeft(trimLineEnd(raw));
    this.#guard(range, () => this.#directive(first));
    let { text, open } = this.#continuation(comment ? '' : first);
    if (!open && text === '') return;

    let hasEmpty = false;
    while (open) {
      const next = this.#reader.next();
      if (next === undefined) break;
      const line = trimLineEnd(next);
      if (isComment(line)) continue;
      if (trimLeft(line) === '') {
        hasEmpty = true;
        continue;
      }
      const part = this.#continuation(line);
      text += part.text;
      open = part.open;
    }
    if (hasEmpty) this.#emptyContinuations.push({ line: this.#reader.line, text });

    const comments = this.#comments;
    const node = this.#guard(range, () => parseNode(text, this.#escape, comments, range()));
    if (node === undefined) return;
    const heredocs = takesHeredocs(node) && text.includes('<<') ? this.#guard(range, () => this.#heredocs(text)) : [];
    if (heredocs === undefined) return;
    this.#nodes.push({ ...node, heredocs, range: range() });
    this.#comments = [];
  }

  #comment(text: string): void {
    if (text === '') this.#comments = [];
    else this.#comments.push(text);
  }

  #directive(line: string): void {
    const directive = this.#directiveReader.read(line);
    if (directive === undefined) return;
    this.#comments.pop();
    if (directive.name === 'escape') {
      if (directive.value !== '\\' && directive.value !== '`') {
        throw new Fault('directive', `invalid escape token '${directive.value}' does not match \` or \\`);
      }
      this.#escape = directive.value;
    }
    this.#directives.push(directive);
  }

  /** The line without the escape token at its end, and whether there was one. */
  #continuation(line: string): { text: string; open: boolean } {
    const match = CONTINUATION[this.#escape].exec(line);
    return match === null
      ? { text: line, open: false }
      : { text: line.slice(0, match.index) + (match[1] ?? ''), open: true };
  }

  /** Reads the bodies of the heredocs that `line` opens. */
  #heredocs(line: string): readonly Heredoc[] {
    return heredocsOfLine(line).map((heredoc) => {
      let content = '';
      for (;;) {
        const raw = this.#reader.next();
        if (raw === undefined)
          throw new Fault('heredoc', 'unterminated heredoc', `end it with a line \`${heredoc.name}\``);
        const candidate = trimLineEnd(raw);
        if ((heredoc.chomp ? trimLeadingTabs(candidate) : candidate) === heredoc.name) break;
        content += raw;
      }
      return { ...heredoc, content };
    });
  }
}

function takesHeredocs(node: Node): boolean {
  const inner = node.child ?? node;
  return WITH_HEREDOCS.has(inner.keyword.toLowerCase()) && !inner.json;
}

function isComment(line: string): boolean {
  return trimLeft(line).startsWith('#');
}

function trimLineEnd(line: string): string {
  return line.replace(/[\r\n]+$/, '');
}
