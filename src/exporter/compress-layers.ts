import { allOrAbort } from '../base/abort.js';
import { Semaphore } from '../base/semaphore.js';
import type { JobContext } from '../job/context.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import { formOf, recallForm, type CompressionOptions } from './layer-form.js';
import { recodeLayer } from './recode-layer.js';

/**
 * Layers that are read and compressed at a time. Each is deflated by all processors; a second one has work for them
 * while the first is read or finished.
 */
export const PARALLEL_RECODINGS = 2;

/**
 * The layers in the form that is asked for. Once made, a form is remembered, and taken again if `has` says that its blob
 * is where it is needed. Default: in the store, so that every blob that this gives is there.
 */
export async function compressLayers(
  layers: readonly LayerFact[],
  options: CompressionOptions,
  store: Store,
  job: JobContext,
  has: (target: Descriptor) => Promise<boolean> = async (target) => await store.blobs.has(target, job),
): Promise<readonly Descriptor[]> {
  const places = new Semaphore(PARALLEL_RECODINGS);
  return await eachLayer(layers, job.signal, async (layer, signal) => {
    const form = formOf(layer, options);
    if (form.kind === 'kept') return form.descriptor;
    const known = await recallForm(form, store);
    if (known && (await has(known))) return known;
    return await places.run(signal, async () => {
      return (await recodeLayer(layer, form, options, store, [], { ...job, signal })).descriptor;
    });
  });
}

/** Works on all at the same time, on each blob once however often the image has it. */
export async function eachLayer<T>(
  layers: readonly LayerFact[],
  parent: AbortSignal,
  work: (layer: LayerFact, signal: AbortSignal) => Promise<T>,
): Promise<readonly T[]> {
  const begun = new Map<string, Promise<T>>();
  return await allOrAbort(
    parent,
    layers.map((layer) => async (signal) => {
      const key = `${layer.diffId} ${layer.blob.digest}`;
      const result = begun.get(key) ?? work(layer, signal);
      begun.set(key, result);
      return await result;
    }),
  );
}
