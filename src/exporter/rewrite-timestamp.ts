import { allOrAbort } from '../base/abort.js';
import { fromText } from '../base/bytes.js';
import type { JobContext } from '../job/context.js';
import type { PackItem } from '../layer/pack.js';
import type { Toc } from '../layer/toc.js';
import { hexOf } from '../oci/digest.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import { LayerContent } from '../worker/layer-content.js';
import { writeLayer } from '../worker/layer-writer.js';
import type { BuiltImage, ResultLayer } from './make-image.js';

/**
 * The layers that the build made, with times later than `epoch` (seconds since 1970) set to it; older ones stay, and so
 * do layers of a base image. A rewritten layer is remembered.
 */
export async function rewriteTimestamps(
  built: BuiltImage,
  epoch: number,
  store: Store,
  job: JobContext,
): Promise<BuiltImage> {
  const content = new LayerContent(store);
  const layers = await allOrAbort(
    job.signal,
    built.layers.map((layer) => async (signal): Promise<ResultLayer> => {
      if (layer.createdAt === undefined) return layer;
      const name = `epoch-${epoch}-${hexOf(layer.diffId)}`;
      const known = (await store.records.fact(name)) as LayerFact | undefined;
      if (known && (await store.blobs.has(known.blob, { signal }))) {
        return { ...layer, ...marked(known, epoch) };
      }
      const toc = await content.toc(layer, { signal });
      const fact = await writeLayer(clamped(toc, store.blobs.path(layer.blob.digest), epoch), store, content);
      await store.records.saveFact(name, fact);
      return { ...layer, ...marked(fact, epoch) };
    }),
  );
  return { ...built, layers };
}

/** With the annotation that BuildKit gives to such layers. */
function marked({ diffId, blob }: LayerFact, epoch: number): LayerFact {
  return { diffId, blob: { ...blob, annotations: { 'buildkit/rewritten-timestamp': String(epoch) } } };
}

/** Layers that Slipway makes lie uncompressed and have no holes, so that contents are ranges of the blob. */
function* clamped(toc: Toc, blob: string, epoch: number): Generator<PackItem, void, undefined> {
  for (const { dataOffset, digest, fragments, bytes: _, ...entry } of toc.entries) {
    if (fragments) throw new Error(`a layer of this build holds a sparse entry: ${entry.path}`);
    const item = { entry: { ...entry, mtime: Math.min(entry.mtime, epoch) } };
    if (entry.type !== 'file' || dataOffset === undefined) yield item;
    else
      yield {
        ...item,
        content: { kind: 'range', file: fromText(blob), offset: dataOffset },
        ...(digest && { digest }),
      };
  }
}
