import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { DocumentSource } from '../oci/image.js';
import type { Repository } from '../registry/types.js';
import type { BlobStore } from '../store/blobs.js';
import type { ImageLayout } from '../store/layout.js';
import { Origins } from '../store/origins.js';
import type { Store } from '../store/store.js';

/** Where what the store has not got of an image is taken from. */
export type ImageOrigin =
  | { readonly kind: 'layout'; readonly layout: ImageLayout }
  /** Opened when something is missing: what is there needs no registry. */
  | { readonly kind: 'registry'; readonly name: string; readonly open: () => Promise<Repository> }
  | { readonly kind: 'store' };

/** The documents of an image of a registry: those of the store, else fetched, and kept there. */
export function keptDocuments(blobs: BlobStore, open: () => Promise<Repository>): DocumentSource {
  return {
    async readDocument(target: Descriptor, cancel: Cancel): Promise<Buffer> {
      if (await blobs.has(target, cancel)) return await blobs.readDocument(target, cancel);
      const bytes = await (await open()).readDocument(target, cancel);
      await blobs.putBytes(bytes);
      return bytes;
    },
  };
}

/** Brings a layer into the store, checked. Throws BLOB_NOT_FOUND, BLOB_CORRUPT, and what the registry client throws. */
export async function bringLayer(layer: Descriptor, origin: ImageOrigin, store: Store, job: JobContext): Promise<void> {
  const digits = layer.digest.slice(7, 19);
  const report = (item: string, current: number, done: boolean): void =>
    job.emit({ type: 'transfer', item, current, total: layer.size, done, at: job.now() });
  switch (origin.kind) {
    case 'store':
      throw new BuildError('BLOB_NOT_FOUND', `layer \`${layer.digest}\` is missing in the store`, {
        hint: 'pull, load or build the image again',
      });
    case 'layout': {
      const item = `${digits} from ${origin.layout.dir}`;
      report(item, 0, false);
      await store.blobs.copyIn(origin.layout.path(layer.digest), layer, job);
      return report(item, layer.size, true);
    }
    case 'registry': {
      const item = `pulling ${digits} from ${origin.name}`;
      report(item, 0, false);
      const repository = await origin.open();
      await store.blobs.put(layer, repository, {
        signal: job.signal,
        onProgress: (current) => report(item, current, false),
      });
      await new Origins(store.records).remember(layer.digest, repository);
      return report(item, layer.size, true);
    }
  }
}
