import { isSpace, trim } from './go-text.js';

export type EscapeToken = '\\' | '`';

const WHITE_SPACE = /[\t\v\f\r ]+/;
const ALL_WHITE_SPACE = /[\t\v\f\r ]+/g;

/** `text` split at the first run of white space: one part or two. */
export function splitFirst(text: string): readonly [string] | readonly [string, string] {
  const match = WHITE_SPACE.exec(text);
  if (match === null) return [text];
  return [text.slice(0, match.index), text.slice(match.index + match[0].length)];
}

/** `text` split at every run of white space. */
export function splitAll(text: string): readonly string[] {
  return text.split(ALL_WHITE_SPACE);
}

export interface CommandLine {
  readonly keyword: string;
  readonly flags: readonly string[];
  readonly rest: string;
}

/** One logical line as keyword, the `--flags` directly behind it, and the rest. */
export function splitCommand(line: string, escape: EscapeToken): CommandLine {
  const [keyword, args] = splitFirst(trim(line));
  if (args === undefined) return { keyword, flags: [], rest: '' };
  const { flags, rest } = takeFlags(args, escape);
  return { keyword, flags, rest: trim(rest) };
}

/** Words that start with `--`, with their quotes and escapes taken away; a bare `--` ends them. */
function takeFlags(line: string, escape: EscapeToken): { readonly flags: readonly string[]; readonly rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line.charAt(at))) at++;
    if (!line.startsWith('--', at)) return { flags, rest: line.slice(at) };
    let word = '';
    let quote = '';
    let quoted = false;
    for (; at < line.length; at++) {
      let char = line.charAt(at);
      if (quote === '' && isSpace(char)) break;
      if (quote === '' && (char === "'" || char === '"')) {
        quote = char;
        quoted = true;
        continue;
      }
      if (char === quote) {
        quote = '';
        continue;
      }
      if (char === escape) {
        if (at + 1 === line.length) continue; // an escape token at the end says nothing
        char = line.charAt(++at);
      }
      word += char;
    }
    if (word === '--') return { flags, rest: line.slice(at) };
    if (quoted || word !== '') flags.push(word);
  }
}

/** Words separated by white space, where quotes and escapes hold words together; both stay in the result. */
export function parseWords(text: string, escape: EscapeToken): readonly string[] {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && isSpace(text.charAt(at))) at++;
    if (at >= text.length) return words;
    let word = '';
    let quote = '';
    let quoted = false;
    for (; at < text.length; at++) {
      const char = text.charAt(at);
      if (quote === '' && isSpace(char)) break;
      if (char === quote) {
        quote = '';
      } else if (quote === '' && (char === "'" || char === '"')) {
        quote = char;
        quoted = true;
      } else if (char === escape && quote !== "'") {
        if (at + 1 === text.length) continue; // an escape token at the end is dropped
        word += char;
        at++;
      }
      word += text.charAt(at);
    }
    if (quoted || word !== '') words.push(word);
  }
}
