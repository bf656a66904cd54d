import { allOrAbort } from '../base/abort.js';
import { Semaphore } from '../base/semaphore.js';
import type { JobContext } from '../job/context.js';
import { TransferReport } from '../job/transfer-report.js';
import type { ContentSink } from '../oci/content.js';
import { isForeignLayer, type Descriptor } from '../oci/descriptor.js';
import type { BlobUpload, Repository } from '../registry/types.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import { eachLayer, PARALLEL_RECODINGS } from './compress-layers.js';
import { formOf, recallForm, type CompressionOptions, type RecodedForm } from './layer-form.js';
import { recodeLayer } from './recode-layer.js';

/** What layers are pushed to: a repository of a registry. */
export type LayerSink = ContentSink & Pick<Repository, 'upload'>;

/** Blobs that are sent from the store at a time. */
const PARALLEL_BLOBS = 6;

/**
 * Brings the layers, in the form that is asked for, to every one of `sinks`; gives their descriptors. What has to be
 * compressed is sent while it is compressed, and stands in the store as well. A known form that all sinks have need not
 * be in the store, and then is not: whoever pushes a manifest of these layers must not look for them there.
 * Throws what the sinks throw; a blob that is cut on its way is sent once more.
 */
export async function pushLayers(
  layers: readonly LayerFact[],
  options: CompressionOptions,
  store: Store,
  sinks: readonly LayerSink[],
  job: JobContext,
): Promise<readonly Descriptor[]> {
  const push = new LayerPush(options, store, sinks, job);
  return await eachLayer(layers, job.signal, (layer, signal) => push.layer(layer, signal));
}

class LayerPush {
  readonly #recodings = new Semaphore(PARALLEL_RECODINGS);
  readonly #blobs = new Semaphore(PARALLEL_BLOBS);
  readonly #options: CompressionOptions;
  readonly #store: Store;
  readonly #sinks: readonly LayerSink[];
  readonly #job: JobContext;

  constructor(options: CompressionOptions, store: Store, sinks: readonly LayerSink[], job: JobContext) {
    this.#options = options;
    this.#store = store;
    this.#sinks = sinks;
    this.#job = job;
  }

  async layer(layer: LayerFact, signal: AbortSignal): Promise<Descriptor> {
    const form = formOf(layer, this.#options);
    if (form.kind === 'kept') {
      const { descriptor } = form;
      if (isForeignLayer(descriptor.mediaType)) return descriptor; // whoever wants it gets it from elsewhere
      await this.#send(descriptor, await this.#lacking(descriptor, signal), signal);
      return descriptor;
    }
    const known = await recallForm(form, this.#store);
    if (known) {
      const lacking = await this.#lacking(known, signal);
      if (lacking.length === 0 || (await this.#store.blobs.has(known, { signal }))) {
        await this.#send(known, lacking, signal);
        return known;
      }
    }
    return await this.#recodings.run(signal, () => this.#recode(layer, form, signal));
  }

  async #recode(layer: LayerFact, form: RecodedForm, signal: AbortSignal): Promise<Descriptor> {
    const uploads: BlobUpload[] = [];
    try {
      for (const sink of this.#sinks) uploads.push(await sink.upload({ signal }));
    } catch (error) {
      await Promise.all(uploads.map((upload) => upload.abandon()));
      throw error; // such as a push that is denied: better known before the work than after it
    }
    const job = { ...this.#job, signal };
    const { descriptor, sent } = await recodeLayer(layer, form, this.#options, this.#store, uploads, job);
    const cut = this.#sinks.filter((_, i) => !sent[i]);
    await this.#send(descriptor, cut, signal);
    return descriptor;
  }

  async #lacking(target: Descriptor, signal: AbortSignal): Promise<readonly LayerSink[]> {
    const asked = this.#sinks.map((sink) => async (signal: AbortSignal) => ({
      sink,
      has: await this.#blobs.run(signal, () => sink.has(target, { signal })),
    }));
    return (await allOrAbort(signal, asked)).filter(({ has }) => !has).map(({ sink }) => sink);
  }

  async #send(target: Descriptor, sinks: readonly LayerSink[], signal: AbortSignal): Promise<void> {
    const { blobs } = this.#store;
    const puts = sinks.map((sink) => async (signal: AbortSignal) => {
      await this.#blobs.run(signal, async () => {
        const report = new TransferReport(`pushing ${target.digest.slice(7, 19)}`, this.#job);
        try {
          const onProgress = (current: number): void => report.update(current, target.size);
          await sink.put(target, blobs, { signal, onProgress });
        } finally {
          report.end();
        }
      });
    });
    await allOrAbort(signal, puts);
  }
}
