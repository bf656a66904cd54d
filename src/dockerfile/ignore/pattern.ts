import { patternError, compileGlob } from './glob.js';
import { translateGoRegex } from './go-regex.js';
import { compileUnits } from './wild-units.js';

export type MatchType = 'exact' | 'prefix' | 'suffix' | 'regexp';

/** One line of an ignore list: cleaned, and compiled when it is first needed. */
export class Pattern {
  readonly text: string;
  /** From a line that begins with `!`: what matches is taken back. */
  readonly exclusion: boolean;
  #test: ((path: string) => boolean) | undefined;
  readonly #parts: readonly string[];

  /** `text`: cleaned, without `!`. Throws DOCKERFILE_INVALID for one that is not sound. */
  constructor(text: string, exclusion: boolean) {
    compileGlob(text); // BuildKit accepts what Go's filepath.Match accepts, though it then matches in its own way
    this.text = text;
    this.exclusion = exclusion;
    this.#parts = text.split('/');
  }

  matches(path: string): boolean {
    this.#test ??= testFor(this.text);
    return this.#test(path);
  }

  /** False only if no path below `dir` can match this pattern. Does not say whether `dir` itself does. */
  canMatchBelow(dir: readonly string[]): boolean {
    for (const [i, name] of dir.entries()) {
      const part = this.#parts[i];
      if (part === undefined) return false;
      if (part.includes('**') || /[[\]\\^]/.test(part)) return true; // may match across slashes
      if (!/[*?]/.test(part) && part !== name) return false;
    }
    return this.#parts.length > dir.length;
  }
}

/** With no more wild cards a regular expression is fast, whatever the path. */
const FEW_STARS = 2;

function testFor(text: string): (path: string) => boolean {
  const { type, regex } = analyzePattern(text);
  if (type === 'exact') return (path) => path === text;
  if (type === 'prefix') {
    const prefix = text.slice(0, -2);
    return (path) => path.startsWith(prefix);
  }
  if (type === 'suffix') {
    const suffix = text.slice(2);
    const whole = suffix.startsWith('/') ? suffix.slice(1) : undefined;
    return (path) => path.endsWith(suffix) || path === whole;
  }
  const compiled = translateGoRegex(regex);
  if (!compiled) throw patternError(text);
  const byUnits = (text.match(/\*+/g) ?? []).length > FEW_STARS ? compileUnits(regex) : undefined;
  if (byUnits) return byUnits;
  return (path) => compiled.test(path);
}

const REGEX_SYNTAX = '.+()|{}$';

/** How BuildKit matches a cleaned pattern, and the Go regular expression that it writes for it. */
export function analyzePattern(pattern: string): { readonly type: MatchType; readonly regex: string } {
  const chars = Array.from(pattern);
  let regex = '^';
  let type: MatchType = 'exact';
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === '*' && chars[i + 1] === '*') {
      const atStart = i === 0;
      i++;
      if (chars[i + 1] === '/') i++;
      if (i + 1 < chars.length) {
        regex += '(.*/)?';
        type = 'regexp';
      } else if (type === 'exact') type = 'prefix';
      else {
        regex += '.*';
        type = 'regexp';
      }
      if (atStart) type = 'suffix';
      continue;
    }
    if (char === '*') regex += '[^/]*';
    else if (char === '?') regex += '[^/]';
    else if (char === '\\') regex += `\\${chars[++i] ?? ''}`;
    else if (REGEX_SYNTAX.includes(char)) regex += `\\${char}`;
    else regex += char;
    if ('*?\\[]'.includes(char)) type = 'regexp';
  }
  return { type, regex: `${regex}$` };
}
