import { allOrAbort } from '../base/abort.js';
import type { JobContext } from '../job/context.js';
import { compress, decompress } from '../layer/compression.js';
import { isPlainLayer, mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { hexOf, isDigest } from '../oci/digest.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';

export type Compression = 'gzip' | 'uncompressed';

export interface CompressionOptions {
  readonly type: Compression;
  /** 0 to 9. */
  readonly level: number;
  /** Layers of a base image too, which otherwise stay as they came. */
  readonly force: boolean;
}

/** The layers in the form that is asked for, each in the store; once made, a form is remembered. */
export async function compressLayers(
  layers: readonly LayerFact[],
  options: CompressionOptions,
  store: Store,
  job: JobContext,
): Promise<readonly Descriptor[]> {
  return await allOrAbort(
    job.signal,
    layers.map((layer) => async (signal) => await convert(layer, options, store, { ...job, signal })),
  );
}

async function convert(
  layer: LayerFact,
  { type, level, force }: CompressionOptions,
  store: Store,
  job: JobContext,
): Promise<Descriptor> {
  const plain = isPlainLayer(layer.blob.mediaType);
  if (plain && type === 'uncompressed') return layer.blob;
  if (!plain && (!force || layer.blob.mediaType.endsWith('gzip') === (type === 'gzip'))) return layer.blob;
  const fact = `${type === 'gzip' ? `gzip-${level}` : type}-${hexOf(layer.diffId)}`;
  const known = await remembered(fact, store);
  if (known) return known;
  const mediaType = type === 'gzip' ? mediaTypes.layerGzip : mediaTypes.layer;
  const made = await recode(layer, type === 'gzip' ? level : undefined, store, job);
  const descriptor: Descriptor = { mediaType, ...made };
  await store.records.saveFact(fact, descriptor);
  return descriptor;
}

async function remembered(fact: string, store: Store): Promise<Descriptor | undefined> {
  const known = (await store.records.fact(fact)) as Descriptor | undefined;
  if (!known || !isDigest(known.digest)) return undefined;
  return (await store.blobs.size(known.digest)) === known.size ? known : undefined;
}

async function recode(
  layer: LayerFact,
  level: number | undefined,
  store: Store,
  job: JobContext,
): Promise<{ digest: Descriptor['digest']; size: number }> {
  const item = `compressing ${layer.diffId.slice(7, 19)}`;
  let current = 0;
  const source = store.blobs.open(layer.blob, job);
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      current += chunk.byteLength;
      job.emit({ type: 'transfer', item, current, total: layer.blob.size, done: false, at: job.now() });
      yield chunk;
    }
  }
  const plain = decompress(counted());
  const coded = level === undefined ? plain : compress(plain, { compression: 'gzip', level });
  const written = await store.blobs.write(coded, job);
  await written.commit();
  job.emit({ type: 'transfer', item, current, total: layer.blob.size, done: true, at: job.now() });
  return { digest: written.digest, size: written.size };
}
