import { Fault } from './diagnostic.js';
import { expand } from './expand/expand.js';
import type { ExpandOptions } from './expand/types.js';

export interface Heredoc {
  readonly name: string;
  readonly fileDescriptor: number;
  /** False if any part of the delimiter is quoted. */
  readonly expand: boolean;
  /** `<<-`: leading tabs are not part of the content. */
  readonly chomp: boolean;
  /** As written, tabs included; '' until the body has been read. */
  readonly content: string;
}

const FORM = /^(\d*)<<(-?)[\t\n\f\r ]*([^<]*)$/;

/** The heredoc that `word` opens, if it is of the form `<<EOF`. Throws a Fault for quotes that do not match. */
export function heredocOf(word: string): Heredoc | undefined {
  const match = FORM.exec(word);
  if (match === null || match[3] === '') return undefined;
  const rest = match[3]!;
  const plain = lexWords(rest, { rawQuotes: false, rawEscapes: false });
  if (plain.length !== 1) return undefined;
  const raw = lexWords(rest, { rawQuotes: true, rawEscapes: false });
  return {
    name: plain[0]!,
    fileDescriptor: Number(match[1]),
    expand: countQuotes(plain[0]!) === countQuotes(raw[0]!),
    chomp: match[2] === '-',
    content: '',
  };
}

/** Every heredoc that a logical line opens, bodies not read. */
export function heredocsOfLine(line: string): readonly Heredoc[] {
  let words: readonly string[];
  try {
    words = lexWords(line, { rawQuotes: true, rawEscapes: true });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [];
  }
  return words.map(heredocOf).filter((heredoc) => heredoc !== undefined);
}

/** `content` without the tabs at the start of its lines. */
export function chompHeredoc(content: string): string {
  return content.replace(/^\t+/gm, '');
}

export function trimLeadingTabs(line: string): string {
  return line.replace(/^\t+/, '');
}

function countQuotes(text: string): number {
  return text.replace(/[^'"]/g, '').length;
}

type QuoteOptions = Pick<ExpandOptions, 'rawQuotes' | 'rawEscapes'>;

/** Words as the shell sees them, with variables left as written. Throws a Fault. */
function lexWords(text: string, options: QuoteOptions): readonly string[] {
  const { words, error } = expand(text, new Map<string, string>(), { ...options, skipUnsetEnv: true });
  if (error !== undefined) throw new Fault('heredoc', error);
  return words;
}
