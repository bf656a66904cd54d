import { BuildError } from '../base/errors.js';
import type { ContentSource, PutOptions } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';

/**
 * The bytes of one blob in pieces, for requests that are sent again. Pieces in order are read in one go; for a piece
 * that lies elsewhere the source is read again from the beginning, since it cannot seek.
 */
export class UploadSource {
  /** What the source itself failed with: the reason of a request that broke off. */
  failure: { readonly error: unknown } | undefined;
  readonly #target: Descriptor;
  readonly #source: ContentSource;
  readonly #opts: PutOptions;
  #idle: Reading | undefined;

  constructor(target: Descriptor, source: ContentSource, opts: PutOptions) {
    this.#target = target;
    this.#source = source;
    this.#opts = opts;
  }

  /** The last byte of the blob is given only when the source has found all of them right. */
  async *bytes(start: number, length: number): AsyncGenerator<Buffer, void, undefined> {
    const end = start + length;
    const reading = this.#take(start);
    let whole = false;
    try {
      await reading.skipTo(start);
      while (reading.at < end || (end === this.#target.size && !reading.ended)) {
        const chunk = await reading.next(end);
        if (chunk === undefined) break;
        if (reading.at === this.#target.size) await reading.expectEnd();
        this.#opts.signal.throwIfAborted();
        yield chunk;
        this.#opts.onProgress?.(reading.at);
      }
      if (reading.at !== end) throw tooShort(this.#target, reading.at);
      whole = true;
    } catch (error) {
      this.failure ??= { error };
      throw error;
    } finally {
      if (whole) this.#idle = reading;
      else await reading.close();
    }
  }

  async close(): Promise<void> {
    await this.#idle?.close();
    this.#idle = undefined;
  }

  /** A reading belongs to one piece at a time, so that a request given up does not disturb the next one. */
  #take(start: number): Reading {
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle !== undefined && idle.at <= start) return idle;
    void idle?.close();
    return new Reading(this.#source.open(this.#target, this.#opts));
  }
}

class Reading {
  /** Bytes given so far. */
  at = 0;
  ended = false;
  readonly #content: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(content: AsyncIterable<Buffer>) {
    this.#content = content[Symbol.asyncIterator]();
  }

  async skipTo(start: number): Promise<void> {
    while (this.at < start && (await this.next(start)) !== undefined);
  }

  /** The next bytes, none of them at or after `end`; undefined when there are no more. */
  async next(end: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#content.next();
      this.ended = done === true;
      if (this.ended) return undefined;
      this.#rest = value as Buffer;
    }
    const chunk = this.#rest.subarray(0, end - this.at);
    this.#rest = this.#rest.subarray(chunk.length);
    this.at += chunk.length;
    return chunk;
  }

  /** Throws what the source finds wrong once it has been read to its end. */
  async expectEnd(): Promise<void> {
    while (!this.ended) this.ended = (await this.#content.next()).done === true;
  }

  async close(): Promise<void> {
    await this.#content.return?.();
  }
}

function tooShort(target: Descriptor, size: number): BuildError {
  return new BuildError('BLOB_CORRUPT', `blob \`${target.digest}\` has ${size} bytes instead of ${target.size}`);
}
