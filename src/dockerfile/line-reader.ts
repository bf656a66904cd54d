/** Bytes that a line may have without its line end. */
const MAX_LINE_BYTES = 65535;

/** The physical lines of a text, with their line ends. */
export class LineReader {
  readonly #text: string;
  #at = 0;
  #line = 0;
  #tooLong = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** Number of the line read last, 1-based; 0 before the first. */
  get line(): number {
    return this.#line;
  }

  /** Reading stopped early, at a line over the limit. */
  get tooLong(): boolean {
    return this.#tooLong;
  }

  /** The next line; undefined at the end and from a too long line on. */
  next(): string | undefined {
    if (this.#tooLong || this.#at >= this.#text.length) return undefined;
    const end = this.#text.indexOf('\n', this.#at);
    const content = this.#text.slice(this.#at, end < 0 ? undefined : end);
    if (content.length * 3 > MAX_LINE_BYTES && Buffer.byteLength(content) > MAX_LINE_BYTES) {
      this.#tooLong = true;
      return undefined;
    }
    this.#line++;
    this.#at += content.length + 1;
    return end < 0 ? content : `${content}\n`;
  }

  static readonly tooLongMessage = `dockerfile line greater than max allowed size of ${MAX_LINE_BYTES}`;
}
