import { limits } from '../../base/limits.js';
import { PatternError, replaceAll, replaceFirst, trimPrefix, trimSuffix } from './shell-pattern.js';
import { Scanner } from './scanner.js';
import type { ExpandOptions, Variables } from './types.js';
import { WordList } from './word-list.js';

/** A word that cannot be expanded. The message is BuildKit's. */
export class ExpandError extends Error {}

const DIGIT = /\p{Nd}/u;
const NAME_CHAR = /[\p{L}\p{Nd}_]/u;
const SPECIAL_PARAMETERS = '@*#?-$!';

/** Expands one word, once. */
export class ShellWord {
  readonly matched = new Set<string>();
  readonly unmatched = new Set<string>();
  readonly #scanner: Scanner;
  readonly #variables: Variables | undefined;
  readonly #options: ExpandOptions;
  readonly #escape: string;
  #rawEscapes: boolean;
  #depth = 0;
  #words = new WordList();

  constructor(word: string, variables: Variables | undefined, options: ExpandOptions) {
    this.#scanner = new Scanner(word);
    this.#variables = variables;
    this.#options = options;
    this.#escape = options.escape ?? '\\';
    this.#rawEscapes = options.rawEscapes ?? false;
  }

  /** Throws ExpandError. */
  expand(): { readonly text: string; readonly words: readonly string[] } {
    const text = this.#readUntil(undefined);
    return { text, words: this.#words.finish() };
  }

  /** Text up to `stop`, which is taken, or up to the end. */
  #readUntil(stop: string | undefined): string {
    const scanner = this.#scanner;
    const quotes = !this.#options.skipProcessQuotes;
    let out = '';
    for (let char = scanner.peek(); char !== undefined; char = scanner.peek()) {
      if (char === stop) {
        scanner.next();
        return out;
      }
      if (char === '$') {
        const value = this.#dollar();
        out = joined(out, value);
        this.#words.addSplit(value);
      } else if (quotes && (char === "'" || char === '"')) {
        const value = char === "'" ? this.#singleQuoted() : this.#doubleQuoted();
        out += value;
        this.#words.addWhole(value);
      } else if (char === '<') {
        const opening = this.#heredocOpening();
        out += opening;
        this.#words.addWhole(opening);
      } else if (char === this.#escape) {
        scanner.next();
        const escaped = (this.#rawEscapes ? char : '') + (scanner.next() ?? '');
        out += escaped;
        if (escaped !== '') this.#words.addWhole(escaped);
      } else {
        scanner.next();
        out += char;
        this.#words.addSplit(char);
      }
    }
    if (stop !== undefined) {
      throw new ExpandError(`unexpected end of statement while looking for matching ${stop}`);
    }
    return out;
  }

  /**
   * Text inside `${…}`. BuildKit builds the current word in one buffer for all depths, so what stands directly before is
   * lost from the words, though not from the text: `x a${V:-b}c` splits into `x` and `bc`.
   */
  #readNested(stop: string, rawEscapes: boolean): string {
    const rawBefore = this.#rawEscapes;
    const outerWords = this.#words;
    this.#rawEscapes = rawEscapes;
    this.#words = new WordList();
    if (++this.#depth > limits.nesting)
      throw new ExpandError(`\`\${\` within each other more than ${limits.nesting} deep`);
    try {
      return this.#readUntil(stop);
    } finally {
      this.#depth--;
      this.#rawEscapes = rawBefore;
      this.#words = outerWords;
      outerWords.dropWord();
    }
  }

  /** `<`, or `<<` with the white space behind it: that does not end the word, since a delimiter may follow it. */
  #heredocOpening(): string {
    const scanner = this.#scanner;
    let opening = scanner.next()!;
    if (scanner.peek() !== '<') return opening;
    opening += scanner.next()!;
    for (let char = scanner.peek(); char === ' ' || char === '\t' || char === '\r'; char = scanner.peek()) {
      opening += char;
      scanner.next();
    }
    return opening;
  }

  #singleQuoted(): string {
    const quote = this.#scanner.next()!;
    const kept = this.#options.rawQuotes ? quote : '';
    let out = kept;
    for (;;) {
      const char = this.#scanner.next();
      if (char === undefined) {
        throw new ExpandError('unexpected end of statement while looking for matching single-quote');
      }
      if (char === quote) return out + kept;
      out += char;
    }
  }

  #doubleQuoted(): string {
    const scanner = this.#scanner;
    const quote = scanner.next()!;
    const kept = this.#options.rawQuotes ? quote : '';
    let out = kept;
    for (;;) {
      const char = scanner.peek();
      if (char === undefined) {
        throw new ExpandError('unexpected end of statement while looking for matching double-quote');
      }
      if (char === '$') {
        out = joined(out, this.#dollar());
        continue;
      }
      scanner.next();
      if (char === quote) return out + kept;
      out += char === this.#escape ? this.#escapeInQuotes() : char;
    }
  }

  /** What follows an escape character inside double quotes; it escapes the quote, the dollar and itself only. */
  #escapeInQuotes(): string {
    const kept = this.#rawEscapes ? this.#escape : '';
    const following = this.#scanner.peek();
    if (following === undefined) return kept;
    if (following !== '"' && following !== '$' && following !== this.#escape) return kept + this.#escape;
    this.#scanner.next();
    return kept + following;
  }

  #dollar(): string {
    const scanner = this.#scanner;
    scanner.next();
    if (scanner.peek() !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      return this.#lookUp(name) ?? (this.#options.skipUnsetEnv ? `$${name}` : '');
    }
    scanner.next();
    const first = scanner.peek();
    if (first === undefined) throw new ExpandError("syntax error: missing '}'");
    if (first === '{' || first === '}' || first === ':') throw new ExpandError('syntax error: bad substitution');
    const name = this.#name();
    const modifier = scanner.next() ?? '\ufffd';
    if (modifier === '}') return this.#lookUp(name) ?? (this.#options.skipUnsetEnv ? `\${${name}}` : '');
    if (modifier === '/') return this.#replacement(name);
    if (modifier === ':') return this.#modified(name, scanner.next() ?? '\ufffd', ':');
    if (!'+-?#%'.includes(modifier)) throw unsupported(modifier);
    return this.#modified(name, modifier, '');
  }

  #modified(name: string, modifier: string, colon: '' | ':'): string {
    const isTrim = modifier === '#' || modifier === '%';
    if (isTrim && colon) throw unsupported(colon + modifier);
    const word = this.#beforeEnd("syntax error: missing '}'", () => this.#readNested('}', isTrim));
    const value = this.#lookUp(name);
    if (value === undefined && this.#options.skipUnsetEnv) return `\${${name}${colon}${modifier}${word}}`;
    const absent = value === undefined || (colon === ':' && value === '');
    switch (modifier) {
      case '-':
        return absent ? word : value;
      case '+':
        return absent ? '' : word;
      case '?':
        if (!absent) return value;
        throw new ExpandError(
          `${name}: ${word || (value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty')}`,
        );
      case '#':
      case '%': {
        const greedy = word.startsWith(modifier);
        const pattern = greedy ? word.slice(1) : word;
        const trim = modifier === '#' ? trimPrefix : trimSuffix;
        return asExpandError(() => trim(value ?? '', pattern, greedy));
      }
      default:
        throw unsupported(colon + modifier);
    }
  }

  #replacement(name: string): string {
    const every = this.#scanner.peek() === '/';
    if (every) this.#scanner.next();
    const pattern = this.#beforeEnd("syntax error: missing '/' in ${}", () => this.#readNested('/', true));
    const replacement = this.#beforeEnd("syntax error: missing '}'", () => this.#readNested('}', true));
    const value = this.#lookUp(name);
    if (value === undefined && this.#options.skipUnsetEnv) return `\${${name}/${pattern}/${replacement}}`;
    const replace = every ? replaceAll : replaceFirst;
    return asExpandError(() => replace(value ?? '', pattern, replacement));
  }

  /** An error met at the end of the text is told as what is missing there. */
  #beforeEnd(message: string, read: () => string): string {
    try {
      return read();
    } catch (error) {
      if (error instanceof ExpandError && this.#scanner.peek() === undefined) throw new ExpandError(message);
      throw error;
    }
  }

  /** A variable name, a number, or one special parameter; empty when none of these follows. */
  #name(): string {
    const scanner = this.#scanner;
    const first = scanner.peek();
    if (first === undefined) return '';
    if (SPECIAL_PARAMETERS.includes(first)) return scanner.next()!;
    const wanted = DIGIT.test(first) ? DIGIT : NAME_CHAR;
    let name = '';
    for (let char = scanner.peek(); char !== undefined && wanted.test(char); char = scanner.peek()) {
      name += char;
      scanner.next();
    }
    return name;
  }

  #lookUp(name: string): string | undefined {
    if (!this.#variables) return undefined;
    const value = this.#variables.get(name);
    (value === undefined ? this.unmatched : this.matched).add(name);
    return value;
  }
}

function joined(text: string, value: string): string {
  if (text.length + value.length <= limits.expandedUnits) return text + value;
  throw new ExpandError(`expands to more than ${limits.expandedUnits} characters`);
}

function unsupported(modifier: string): ExpandError {
  return new ExpandError(`unsupported modifier (${modifier}) in substitution`);
}

function asExpandError(substitute: () => string): string {
  try {
    return substitute();
  } catch (error) {
    throw error instanceof PatternError ? new ExpandError(error.message) : error;
  }
}
