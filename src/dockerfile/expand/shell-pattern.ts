import { limits } from '../../base/limits.js';
import { Scanner } from './scanner.js';

/** A pattern that `${v#…}`, `${v%…}` or `${v/…}` cannot use. The message is BuildKit's. */
export class PatternError extends Error {}

export interface ShellPattern {
  /** As BuildKit's own engine (Go's) would be given it. */
  readonly source: string;
  /** The first match that begins at `from` or later (UTF-16 units): where it stands. Takes no more than length times length. */
  match(text: string, from: number): { readonly start: number; readonly end: number } | undefined;
}

const REGEX_SYNTAX = '[]{}.+()|^$';
const STAR = Symbol('*');
const ANY = Symbol('?');

/**
 * Compiles a shell pattern (`*`, `?`, `\` before one of these; no brackets). `greedy`: a `*` takes as much as it can.
 * `anchored`: matches at the start only. Throws PatternError.
 */
export function compileShellPattern(pattern: string, greedy: boolean, anchored: boolean): ShellPattern {
  const scanner = new Scanner(pattern);
  const star = greedy ? '*' : '*?';
  let source = anchored ? '^' : '';
  const tokens: (string | typeof STAR | typeof ANY)[] = [];
  for (let char = scanner.next(); char !== undefined; char = scanner.next()) {
    if (char === '*') {
      source += `.${star}`;
      if (tokens.at(-1) !== STAR) tokens.push(STAR); // a second one could match nothing new
      continue;
    }
    if (char === '?') {
      source += '.';
      tokens.push(ANY);
      continue;
    }
    let escaped = REGEX_SYNTAX.includes(char);
    if (char === '\\') {
      const following = scanner.peek();
      if (following === '}' || following === '/') continue; // the escape belongs to `${…}`, not to the pattern
      char = scanner.next() ?? '\ufffd';
      if (char !== '*' && char !== '?' && char !== '\\') throw new PatternError(`invalid escape '\\${char}'`);
      escaped = true;
    }
    source += escaped ? `\\${char}` : char;
    tokens.push(char);
  }
  return { source, match: (text, from) => matchTokens(tokens, text, from, { greedy, anchored }) };
}

const STEPS = 20_000_000;

/**
 * Goes back as a regular expression does, so that the first match by its rules is found, but never tries a place twice:
 * what failed once fails again.
 */
function matchTokens(
  tokens: readonly (string | typeof STAR | typeof ANY)[],
  text: string,
  from: number,
  { greedy, anchored }: { readonly greedy: boolean; readonly anchored: boolean },
): { readonly start: number; readonly end: number } | undefined {
  const failed = new Set<number>();
  let steps = 0;
  for (let start = from; start <= (anchored ? from : text.length); start += charLength(text, start) || 1) {
    const open: number[] = [start * (tokens.length + 1)]; // place and token as one number, the best try last
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      let token = state % (tokens.length + 1);
      let at = (state - token) / (tokens.length + 1);
      for (;;) {
        if (++steps > STEPS) throw new PatternError('too many ways to match');
        const wanted = tokens[token];
        if (wanted === undefined) return { start, end: at };
        const length = charLength(text, at);
        if (wanted === STAR) {
          const here = at * (tokens.length + 1) + token;
          if (failed.has(here)) break;
          failed.add(here);
          const canTake = length > 0 && text[at] !== '\n';
          const further = here + length * (tokens.length + 1);
          if (greedy && canTake) {
            open.push(here + 1);
            at += length;
          } else {
            if (canTake) open.push(further);
            token++;
          }
        } else if (wanted === ANY ? length > 0 && text[at] !== '\n' : text.startsWith(wanted, at)) {
          token++;
          at += wanted === ANY ? length : wanted.length;
        } else break;
      }
    }
  }
  return undefined;
}

/** The pattern that matches reversed texts. Escapes stay before their character: `a\*c` gives `c\*a`. */
export function reversePattern(pattern: string): string {
  const parts: string[] = [];
  const chars = Array.from(pattern);
  for (let i = 0; i < chars.length; i++) {
    if (chars[i] === '\\' && i + 1 < chars.length) parts.push(`\\${chars[++i]}`);
    else parts.push(chars[i]!);
  }
  return parts.reverse().join('');
}

/** `${value#pattern}`, or with `greedy` `${value##pattern}`. Throws PatternError. */
export function trimPrefix(value: string, pattern: string, greedy: boolean): string {
  return named(pattern, () => {
    const match = compileShellPattern(pattern, greedy, true).match(value, 0);
    return match ? value.slice(match.end) : value;
  });
}

/** `${value%pattern}`, or with `greedy` `${value%%pattern}`. Throws PatternError. */
export function trimSuffix(value: string, pattern: string, greedy: boolean): string {
  return reversed(trimPrefix(reversed(value), reversePattern(pattern), greedy)); // only from its end is the shortest found
}

/** `${value/pattern/replacement}`. Throws PatternError. */
export function replaceFirst(value: string, pattern: string, replacement: string): string {
  return named(pattern, () => {
    const match = compileShellPattern(pattern, true, false).match(value, 0);
    return match ? value.slice(0, match.start) + replacement + value.slice(match.end) : value;
  });
}

/**
 * `${value//pattern/replacement}`. Throws PatternError. As in Go, `$0` in the replacement is the match, `$$` a dollar,
 * other `$name` are empty, and an empty match directly after another match is left alone.
 */
export function replaceAll(value: string, pattern: string, replacement: string): string {
  return named(pattern, () => {
    const compiled = compileShellPattern(pattern, true, false);
    let out = '';
    let copied = 0;
    for (let position = 0; position <= value.length;) {
      const match = compiled.match(value, position);
      if (!match) break;
      const { start, end } = match;
      out += value.slice(copied, start);
      if (end > copied || start === 0) out += fillTemplate(replacement, value.slice(start, end));
      if (out.length > limits.expandedUnits) throw new PatternError(`more than ${limits.expandedUnits} characters`);
      copied = end;
      position = Math.max(end, position + Math.max(1, charLength(value, position)));
    }
    return out + value.slice(copied);
  });
}

const TEMPLATE_NAME = /\$(?:\$|(?<bare>[\p{L}\p{Nd}_]+)|\{(?<braced>[\p{L}\p{Nd}_]+)\})/gu;

function fillTemplate(template: string, match: string): string {
  return template.replace(TEMPLATE_NAME, (whole, bare?: string, braced?: string) => {
    if (whole === '$$') return '$';
    return (bare ?? braced) === '0' ? match : '';
  });
}

function charLength(text: string, position: number): number {
  const code = text.codePointAt(position);
  return code === undefined ? 0 : code > 0xffff ? 2 : 1;
}

function reversed(text: string): string {
  return Array.from(text).reverse().join('');
}

function named<T>(pattern: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new PatternError(`invalid pattern (${pattern}) in substitution: ${error.message}`);
  }
}
