/** Reads a text code point by code point. A byte order mark at the start is left out, as BuildKit's scanner does. */
export class Scanner {
  readonly #chars: readonly string[];
  #next = 0;

  constructor(text: string) {
    this.#chars = Array.from(text.startsWith('\ufeff') ? text.slice(1) : text);
  }

  /** The next code point without taking it; undefined at the end. */
  peek(): string | undefined {
    return this.#chars[this.#next];
  }

  next(): string | undefined {
    const char = this.#chars[this.#next];
    if (char !== undefined) this.#next++;
    return char;
  }
}
