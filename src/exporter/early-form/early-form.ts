import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Cancel } from '../../base/abort.js';
import { packageRoot } from '../../base/package-root.js';
import type { LayerFact } from '../../store/refs.js';
import type { Store } from '../../store/store.js';
import type { PackedCopy } from '../../worker/layer-writer.js';
import { placedPieces, savePieces } from '../known-pieces.js';
import { formOf, type CompressionOptions } from '../layer-form.js';
import type { EarlyFormData, FromThread, ToThread } from './protocol.js';

/** The heap of a thread that hardly has one. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128, stackSizeMb: 1 };

/**
 * Compresses a layer while it is packed, on a thread that follows the file, so that the form in which it will leave is
 * there when it is asked for. What comes of it is remembered as a form that was made before.
 */
export class EarlyForm implements PackedCopy {
  readonly #store: Store;
  readonly #options: CompressionOptions;
  readonly #dest: string;
  readonly #thread: Worker;
  readonly #made: Promise<Extract<FromThread, { readonly kind: 'made' }>>;
  readonly #exited: Promise<void>;
  #written = 0;

  private constructor(store: Store, options: CompressionOptions, data: EarlyFormData) {
    this.#store = store;
    this.#options = options;
    this.#dest = data.dest;
    const entry = path.join(packageRoot(), 'dist', 'early-form.js');
    this.#thread = new Worker(entry, { workerData: data, execArgv: [], resourceLimits: RESOURCE_LIMITS });
    this.#exited = new Promise((resolve) => this.#thread.once('exit', () => resolve()));
    this.#made = new Promise((resolve, reject) => {
      this.#thread.once('error', reject);
      this.#thread.once('exit', (code) => reject(new Error(`the compressing thread ended with ${code}`)));
      this.#thread.once('message', (message: FromThread) => {
        if (message.kind === 'made') resolve(message);
        else reject(Object.assign(new Error(message.message), { code: message.code }));
      });
    });
    this.#made.catch(() => undefined); // thrown by `finish`
  }

  /** Follows the file open as `tar`, until `finish` or `abandon`. Undefined for a form that no thread is needed for. */
  static async begin(
    tar: number,
    options: CompressionOptions,
    store: Store,
    { signal }: Cancel,
  ): Promise<EarlyForm | undefined> {
    if (options.type !== 'gzip') return undefined;
    signal.throwIfAborted();
    const { level } = options;
    const [dest, pieces] = [await store.blobs.tempPath(), await placedPieces(store, level)];
    const form = new EarlyForm(store, options, { tar, dest, level, pieces });
    signal.addEventListener('abort', () => void form.#thread.terminate(), { once: true });
    return form;
  }

  wrote(bytes: number): void {
    this.#written += bytes;
    this.#tell(false);
  }

  async finish(layer: LayerFact): Promise<void> {
    this.#tell(true);
    const { digest, size, rows } = await this.#made;
    await this.#exited;
    const form = formOf(layer, this.#options);
    if (form.kind === 'kept') return await rm(this.#dest, { force: true });
    await this.#store.blobs.adopt(this.#dest, digest, size);
    await this.#store.records.saveFact(form.fact, { ...form.described, digest, size });
    await savePieces(this.#store, this.#options.level, digest, rows);
  }

  async abandon(): Promise<void> {
    await this.#thread.terminate();
    await rm(this.#dest, { force: true });
  }

  #tell(isAll: boolean): void {
    this.#thread.postMessage({ written: this.#written, isAll } satisfies ToThread);
  }
}
