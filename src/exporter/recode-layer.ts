import type { JobContext } from '../job/context.js';
import { TransferReport } from '../job/transfer-report.js';
import { compress } from '../layer/compression.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { BlobUpload } from '../registry/types.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import { LayerContent } from '../worker/layer-content.js';
import type { CompressionOptions, RecodedForm } from './layer-form.js';
import { KeptPieces } from './kept-pieces.js';
import { placedPieces, savePieces } from './known-pieces.js';
import { TriedUpload } from './tried-upload.js';

/** Bytes of a layer from which on it is worth it to look for what earlier ones have in common with it. */
const WORTH_KNOWING = 4 * 1024 * 1024;

export interface RecodedLayer {
  readonly descriptor: Descriptor;
  /** The uploads that went well, in the order of `uploads`. The others are ended too: the blob is to be sent from the store. */
  readonly sent: readonly boolean[];
}

/**
 * Makes the blob of a form, once, into the store and `uploads` at the same time, as fast as the slowest of them takes it.
 * It is remembered. An upload that fails does not end the rest; every upload is ended, whatever happens. Throws
 * IMAGE_INVALID for a layer that is not what its diffID says, and BLOB_CORRUPT.
 */
export async function recodeLayer(
  layer: LayerFact,
  { described, fact }: RecodedForm,
  { type, level }: CompressionOptions,
  store: Store,
  uploads: readonly BlobUpload[],
  job: JobContext,
): Promise<RecodedLayer> {
  const tried = uploads.map((upload) => new TriedUpload(upload, job.signal));
  const doing =
    uploads.length > 0 ? 'compressing and pushing' : type === 'uncompressed' ? 'uncompressing' : 'compressing';
  const report = new TransferReport(`${doing} ${layer.diffId.slice(7, 19)}`, job);
  try {
    report.update(0, layer.blob.size);
    const onProgress = (current: number): void => report.update(current, layer.blob.size);
    // The form is remembered for the diffID, so what has not that diffID must not come to be it.
    const plain = new LayerContent(store).tar(layer, { signal: job.signal, onProgress, passing: type === 'gzip' });
    const isBig = layer.blob.size >= WORTH_KNOWING;
    await using known = type === 'gzip' && isBig ? new KeptPieces(await placedPieces(store, level)) : undefined;
    const coded = type === 'uncompressed' ? plain : compress(plain, { compression: type, level, known });
    const { digest, size, commit } = await store.blobs.write(shared(coded, tried), job);
    await commit();
    const descriptor = { ...described, digest, size };
    await store.records.saveFact(fact, descriptor);
    if (known) await savePieces(store, level, digest, known.rows);
    return { descriptor, sent: await Promise.all(tried.map((upload) => upload.commit(descriptor))) };
  } finally {
    await Promise.all(tried.map((upload) => upload.end()));
    report.end();
  }
}

/** Each chunk goes to the uploads while it goes on; the next one is taken when all have it. */
async function* shared(
  content: AsyncIterable<Buffer>,
  uploads: readonly TriedUpload[],
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of content) {
    const taken = Promise.allSettled(uploads.map((upload) => upload.write(chunk)));
    yield chunk;
    for (const one of await taken) if (one.status === 'rejected') throw one.reason;
  }
}
