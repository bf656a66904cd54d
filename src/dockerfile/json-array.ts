import { trimLeft } from './go-text.js';

export const NOT_STRINGS = 'when using JSON array syntax, arrays must be comprised of strings only';

/** `values` for a JSON array of strings, else the reason why it is none. Only `NOT_STRINGS` is an error of the file. */
export type JsonArray =
  | { readonly ok: true; readonly values: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** Reads the JSON form of an instruction's arguments. */
export function parseJsonArray(text: string): JsonArray {
  const rest = trimLeft(text);
  if (!rest.startsWith('[')) return { ok: false, reason: 'not a JSON array' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(rest);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ok: false, reason: new Explainer(rest).reason() };
  }
  const values: string[] = [];
  for (const value of parsed as readonly unknown[]) {
    if (typeof value !== 'string') return { ok: false, reason: NOT_STRINGS };
    values.push(Buffer.from(value).toString()); // a lone surrogate becomes U+FFFD
  }
  return { ok: true, values };
}

const END = 'unexpected end of JSON input';

/** Lists and objects inside each other; far above real use, and below what the stack holds. */
const MAX_DEPTH = 1000;

class Stop extends Error {}

/** Walks a text that is not JSON to say, in the words of Go's decoder, where it stops being so. */
class Explainer {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  reason(): string {
    try {
      this.#value();
      this.#space();
      this.#fail('after top-level value');
    } catch (error) {
      if (error instanceof Stop) return error.message;
      throw error;
    }
  }

  #fail(where: string): never {
    const char = this.#text.at(this.#at);
    if (char === undefined) throw new Stop(END);
    const point = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
    const shown = point === "'" ? "'\\''" : point === '"' ? "'\"'" : `'${JSON.stringify(point).slice(1, -1)}'`;
    throw new Stop(`invalid character ${shown} ${where}`);
  }

  #space(): void {
    while (/^[ \t\r\n]$/.test(this.#text.charAt(this.#at))) this.#at++;
  }

  #value(): void {
    this.#space();
    const char = this.#text.charAt(this.#at);
    if (char === '[') this.#list(']', 'after array element', () => this.#value());
    else if (char === '{') this.#list('}', 'after object key:value pair', () => this.#member());
    else if (char === '"') this.#string();
    else this.#literal();
  }

  #list(close: string, after: string, item: () => void): void {
    if (++this.#depth > MAX_DEPTH) throw new Stop('exceeded max depth');
    this.#at++;
    this.#space();
    if (this.#text.charAt(this.#at) === close) {
      this.#depth--;
      this.#at++;
      return;
    }
    for (;;) {
      item();
      this.#space();
      const char = this.#text.charAt(this.#at);
      if (char !== ',' && char !== close) this.#fail(after);
      this.#at++;
      if (char !== close) continue;
      this.#depth--;
      return;
    }
  }

  #member(): void {
    this.#space();
    if (this.#text.charAt(this.#at) !== '"') this.#fail('looking for beginning of object key string');
    this.#string();
    this.#space();
    if (this.#text.charAt(this.#at) !== ':') this.#fail('after object key');
    this.#at++;
    this.#value();
  }

  #string(): void {
    for (this.#at++; ; this.#at++) {
      const char = this.#text.charAt(this.#at);
      if (char === '"') break;
      if (char === '' || char < ' ') this.#fail('in string');
      if (char !== '\\') continue;
      const escape = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(this.#text.slice(this.#at, this.#at + 6))?.[0];
      if (escape === undefined) {
        const shown = this.#text.slice(this.#at, this.#at + (this.#text.charAt(this.#at + 1) === 'u' ? 6 : 2));
        throw new Stop(shown.length < 2 ? END : `invalid escape sequence \`${shown}\` in string`);
      }
      this.#at += escape.length - 1;
    }
    this.#at++;
  }

  #literal(): void {
    const literal = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/.exec(this.#text.slice(this.#at));
    if (literal === null) this.#fail('looking for beginning of value');
    this.#at += literal[0].length;
  }
}
