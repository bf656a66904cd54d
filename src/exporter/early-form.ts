import { setImmediate } from 'node:timers/promises';
import type { Cancel } from '../base/abort.js';
import { Feed } from '../base/feed.js';
import { compress } from '../layer/compression.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import type { PackedCopy } from '../worker/layer-writer.js';
import { StoredPieces } from './known-pieces.js';
import { formOf, type CompressionOptions } from './layer-form.js';

/** Bytes that may wait to be compressed. */
const WAITING = 4 * 1024 * 1024;

/**
 * Compresses a layer while it is packed, so that the form in which it will leave is known when it is asked for. What comes
 * of it is remembered as a form that was made before.
 */
export class EarlyForm implements PackedCopy {
  readonly #store: Store;
  readonly #options: CompressionOptions;
  readonly #feed = new Feed(WAITING);
  readonly #stop = new AbortController();
  readonly #made: Promise<(layer: LayerFact) => Promise<void>>;

  private constructor(store: Store, options: CompressionOptions, { signal }: Cancel) {
    this.#store = store;
    this.#options = options;
    this.#made = this.#make(AbortSignal.any([signal, this.#stop.signal]));
    this.#made.catch(() => undefined); // thrown by `finish`
  }

  /** Undefined for a form that needs no work, or whose work is not worth it to be begun early. */
  static begin(store: Store, options: CompressionOptions, opts: Cancel): EarlyForm | undefined {
    return options.type === 'gzip' ? new EarlyForm(store, options, opts) : undefined;
  }

  write(bytes: Buffer): void {
    this.#feed.push(Buffer.from(bytes));
  }

  async room(): Promise<void> {
    await setImmediate(); // blocks that are done make place for others
    await this.#feed.room();
  }

  async finish(layer: LayerFact): Promise<void> {
    this.#feed.end();
    const keep = await this.#made;
    await keep(layer);
  }

  async abandon(): Promise<void> {
    this.#stop.abort(new Error('not needed'));
    this.#feed.end();
    await Promise.allSettled([this.#made]);
  }

  async #make(signal: AbortSignal): Promise<(layer: LayerFact) => Promise<void>> {
    const { level } = this.#options;
    await using known = await StoredPieces.open(this.#store, level);
    const written = await this.#store.blobs.write(compress(this.#feed, { compression: 'gzip', level, known }), {
      signal,
    });
    return async (layer) => {
      const form = formOf(layer, this.#options);
      if (form.kind === 'kept') return await written.discard();
      await written.commit();
      const { digest, size } = written;
      await this.#store.records.saveFact(form.fact, { ...form.described, digest, size });
      await known.save(digest);
    };
  }
}
