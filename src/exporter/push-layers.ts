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
/** A layer of no more bytes, uncompressed, goes out in one request when it is compressed: that takes less than another request. */
const SMALL_LAYER = 1024 * 1024;

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

/**
 * The same, and at the same time brings the image's config, which stands in the store. `onNew` is told of the sinks that had
 * not got it, and so have no manifest of this image.
 */
export async function pushLayersAndConfig<S extends LayerSink>(
  layers: readonly LayerFact[],
  options: CompressionOptions,
  config: Descriptor,
  store: Store,
  sinks: readonly S[],
  onNew: (sinks: readonly S[]) => void,
  job: JobContext,
): Promise<readonly Descriptor[]> {
  const [descriptors] = await allOrAbort<readonly Descriptor[]>(job.signal, [
    (signal) => pushLayers(layers, options, store, sinks, { ...job, signal }),
    async (signal) => {
      const lacking = await new LayerPush(options, store, sinks, job).blob(config, signal);
      onNew(sinks.filter((sink) => lacking.includes(sink)));
      return [];
    },
  ]);
  return descriptors!;
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
      await this.blob(descriptor, signal);
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

  /** One that stands in the store as it is to be sent. Gives the sinks that had not got it. */
  async blob(target: Descriptor, signal: AbortSignal): Promise<readonly LayerSink[]> {
    const lacking = await this.#lacking(target, signal);
    await this.#send(target, lacking, signal);
    return lacking;
  }

  async #recode(layer: LayerFact, form: RecodedForm, signal: AbortSignal): Promise<Descriptor> {
    const uploads: BlobUpload[] = [];
    const early = layer.blob.size > SMALL_LAYER ? this.#sinks : [];
    try {
      for (const sink of early) uploads.push(await sink.upload({ signal }));
    } catch (error) {
      await Promise.all(uploads.map((upload) => upload.abandon()));
      throw error; // such as a push that is denied: better known before the work than after it
    }
    const job = { ...this.#job, signal };
    const { descriptor, sent } = await recodeLayer(layer, form, this.#options, this.#store, uploads, job);
    const cut = this.#sinks.filter((_, i) => !sent[i]);
    await this.#send(descriptor, cut, signal, { isNew: early.length === 0 });
    return descriptor;
  }

  async #lacking(target: Descriptor, signal: AbortSignal): Promise<readonly LayerSink[]> {
    const asked = this.#sinks.map((sink) => async (signal: AbortSignal) => ({
      sink,
      has: await this.#blobs.run(signal, () => sink.has(target, { signal })),
    }));
    return (await allOrAbort(signal, asked)).filter(({ has }) => !has).map(({ sink }) => sink);
  }

  async #send(
    target: Descriptor,
    sinks: readonly LayerSink[],
    signal: AbortSignal,
    { isNew } = { isNew: false },
  ): Promise<void> {
    const { blobs } = this.#store;
    const puts = sinks.map((sink) => async (signal: AbortSignal) => {
      await this.#blobs.run(signal, async () => {
        const report = new TransferReport(`pushing ${target.digest.slice(7, 19)}`, this.#job);
        try {
          const onProgress = (current: number): void => report.update(current, target.size);
          await sink.put(target, blobs, { signal, onProgress, isNew });
        } finally {
          report.end();
        }
      });
    });
    await allOrAbort(signal, puts);
  }
}
