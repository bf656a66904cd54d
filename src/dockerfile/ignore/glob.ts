import { toText, type ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';

/** A glob as Go's `filepath.Match` reads it, ready to be tried on many names. */
export interface Glob {
  matches(name: ByteString): boolean;
}

type Token =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'literal'; readonly char: string }
  | {
      readonly kind: 'class';
      readonly negated: boolean;
      readonly ranges: readonly (readonly [low: number, high: number])[];
    };

/** True if the whole `name` matches `pattern`. Throws DOCKERFILE_INVALID for a pattern that is not sound. */
export function matchGlob(pattern: string, name: ByteString): boolean {
  return compileGlob(pattern).matches(name);
}

/**
 * `*` and `?` stand for anything but `/`, `[a-z]` and `[^a-z]` for one character, `\` makes the next one ordinary.
 * Throws DOCKERFILE_INVALID for a pattern that is not sound.
 */
export function compileGlob(pattern: string): Glob {
  const tokens = tokenize(pattern);
  return { matches: (name) => matchTokens(tokens, Array.from(toText(name))) };
}

/** What every unsound pattern gives, in Go's words. */
export function patternError(pattern: string): BuildError {
  return new BuildError('DOCKERFILE_INVALID', 'syntax error in pattern', {
    hint: `check the brackets and backslashes of \`${pattern}\``,
  });
}

function tokenize(pattern: string): Token[] {
  const chars = Array.from(pattern);
  const tokens: Token[] = [];
  let i = 0;
  const classChar = (): number => {
    if (chars[i] === '-' || chars[i] === ']') throw patternError(pattern);
    if (chars[i] === '\\') i++;
    const char = chars[i++];
    if (char === undefined || i === chars.length) throw patternError(pattern);
    return char.codePointAt(0)!;
  };
  while (i < chars.length) {
    const char = chars[i++]!;
    if (char === '*') tokens.push({ kind: 'star' });
    else if (char === '?') tokens.push({ kind: 'any' });
    else if (char === '\\') {
      const escaped = chars[i++];
      if (escaped === undefined) throw patternError(pattern);
      tokens.push({ kind: 'literal', char: escaped });
    } else if (char === '[') {
      const negated = chars[i] === '^';
      if (negated) i++;
      const ranges: (readonly [number, number])[] = [];
      while (ranges.length === 0 || chars[i] !== ']') {
        const low = classChar();
        if (chars[i] !== '-') {
          ranges.push([low, low]);
          continue;
        }
        i++;
        ranges.push([low, classChar()]);
      }
      i++;
      tokens.push({ kind: 'class', negated, ranges });
    } else tokens.push({ kind: 'literal', char });
  }
  return tokens;
}

/** Goes back to the last star only, which is enough: an earlier one could not reach further. */
function matchTokens(tokens: readonly Token[], name: readonly string[]): boolean {
  let token = 0;
  let at = 0;
  let retryToken = -1;
  let retryAt = 0;
  while (at < name.length || token < tokens.length) {
    const current = tokens[token];
    if (current?.kind === 'star') {
      retryToken = ++token;
      retryAt = at;
      continue;
    }
    const char = name[at];
    if (current !== undefined && char !== undefined && matchOne(current, char)) {
      token++;
      at++;
      continue;
    }
    const skipped = name[retryAt];
    if (retryToken < 0 || skipped === undefined || skipped === '/') return false;
    token = retryToken;
    at = ++retryAt;
  }
  return true;
}

function matchOne(token: Token, char: string): boolean {
  if (token.kind === 'literal') return token.char === char;
  if (token.kind !== 'class') return char !== '/';
  const code = char.codePointAt(0)!;
  return token.ranges.some(([low, high]) => low <= code && code <= high) !== token.negated;
}
