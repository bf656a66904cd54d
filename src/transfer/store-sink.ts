import type { Cancel } from '../base/abort.js';
import type { ContentSink, ContentSource, PutOptions } from '../oci/content.js';
import { isIndexType, isManifestType, type Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { Store } from '../store/store.js';

/** The blobs of the store, for a copy into it: the job's lease holds what the copy finds there or brings. */
export class StoreSink implements ContentSink {
  readonly #store: Store;
  readonly #blobs = new Set<Digest>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** What was copied or was there, documents left out. */
  get blobs(): readonly Digest[] {
    return [...this.#blobs];
  }

  async has(target: Descriptor, opts: Cancel): Promise<boolean> {
    if (!isManifestType(target.mediaType) && !isIndexType(target.mediaType)) this.#blobs.add(target.digest);
    return await this.#store.blobs.has(target, opts);
  }

  async put(target: Descriptor, source: ContentSource, opts: PutOptions): Promise<void> {
    await this.#store.blobs.put(target, source, opts);
  }
}
