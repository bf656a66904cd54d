import type { Cancel } from '../base/abort.js';
import type { Descriptor } from './descriptor.js';

/** Where bytes come from by digest: the store, an image layout, an archive, a registry. */
export interface ContentSource {
  /**
   * The bytes of a blob or document, from the beginning each time. Ends with BuildError BLOB_CORRUPT unless exactly
   * `target.size` bytes hashing to `target.digest` were read; throws BLOB_NOT_FOUND when it is not there.
   */
  open(target: Descriptor, opts: Cancel): AsyncIterable<Buffer>;
  /**
   * A file of this machine that has just these bytes, which this process itself has seen to: whoever copies it need not
   * hash it again. Undefined, or absent, where there is none.
   */
  checkedFile?(target: Descriptor): string | undefined;
  /** A small document whole, checked as above. Throws IMAGE_INVALID when it is larger than `limits.documentBytes`. */
  readDocument(target: Descriptor, opts: Cancel): Promise<Buffer>;
}

export interface PutOptions extends Cancel {
  /** Called now and then with the bytes that have arrived so far; may go back when something is tried again. */
  readonly onProgress?: (current: number) => void;
  /** It was made just now, so it is hardly there: to ask first would only take time. */
  readonly isNew?: boolean;
}

/** Where bytes go by digest. */
export interface ContentSink {
  /** Whether a blob or, told by its media type, a manifest or an index is there, whole. */
  has(target: Descriptor, opts: Cancel): Promise<boolean>;
  /**
   * Takes one over from `source`, which is read again when something has to be tried again. Lands whole or not at all;
   * throws what `source` throws, so BLOB_CORRUPT when its bytes do not match `target`.
   */
  put(target: Descriptor, source: ContentSource, opts: PutOptions): Promise<void>;
}
