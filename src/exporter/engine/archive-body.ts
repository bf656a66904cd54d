/** An archive on its way to an engine, which remembers whether it was the reading of it that failed. */
export class ArchiveBody implements AsyncIterable<Uint8Array> {
  readonly #content: AsyncIterable<Uint8Array>;
  #failure: { readonly error: unknown } | undefined;

  constructor(content: AsyncIterable<Uint8Array>) {
    this.#content = content;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const iterator = this.#content[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await iterator.next().catch((error: unknown) => {
          this.#failure = { error };
          throw error;
        });
        if (next.done) return;
        // What a consumer throws in here is its own affair.
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  /** Throws what the reading ended with, if it failed: whatever the engine says then is no news. */
  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
