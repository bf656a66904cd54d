import type { Cancel } from '../base/abort.js';
import type { Descriptor } from './descriptor.js';
import type { Digest } from './digest.js';

/** Where bytes come from by digest: the store, an image layout, a registry. */
export interface ContentSource {
  /**
   * The bytes of a blob. Ends with BuildError BLOB_CORRUPT unless exactly `target.size` bytes hashing to
   * `target.digest` were read; throws BLOB_NOT_FOUND when it is not there.
   */
  open(target: Descriptor, opts: Cancel): AsyncIterable<Buffer>;
}

/** Where bytes go by digest. */
export interface ContentSink {
  has(digest: Digest, opts: Cancel): Promise<boolean>;
  /** Lands whole or not at all; throws BLOB_CORRUPT when `content` does not match `target`. */
  put(target: Descriptor, content: AsyncIterable<Uint8Array>, opts: Cancel): Promise<void>;
}
