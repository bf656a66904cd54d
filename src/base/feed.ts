/**
 * Bytes that one part of a program pushes and another one iterates over. The one who pushes asks whether there is room,
 * and waits for it; nothing is lost where he does not.
 */
export class Feed implements AsyncIterable<Buffer> {
  readonly #mostBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** There is room as long as less than `mostBytes` wait to be taken. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** The chunk is the reader's from now on. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#wakeReader?.();
  }

  /** No more will be pushed. */
  end(): void {
    this.#ended = true;
    this.#wakeReader?.();
  }

  /** Undefined when there is room, else settled when there is, or when the reader has left. */
  room(): Promise<void> | undefined {
    if (this.#ended || this.#bytes < this.#mostBytes) return undefined;
    return new Promise((resolve) => (this.#wakeWriter = resolve));
  }

  /** Once. A reader that leaves early lets the writer go on, whose bytes go nowhere. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk) {
          this.#bytes -= chunk.length;
          this.#wakeWriter?.();
          yield chunk;
        } else if (this.#ended) return;
        else await new Promise<void>((resolve) => (this.#wakeReader = resolve));
      }
    } finally {
      this.#ended = true;
      this.#chunks = [];
      this.#wakeWriter?.();
    }
  }
}
