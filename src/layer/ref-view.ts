import type { ByteString } from '../base/bytes.js';
import type { Digest } from '../oci/digest.js';
import type { Entry } from './entry.js';

/** What `lstat` gives: an entry that is never a hard link (a further name of a file reads as the file). */
export interface ViewEntry extends Omit<Entry, 'type'> {
  readonly type: Exclude<Entry['type'], 'hardlink'>;
  /** Equal for the names of one file, different otherwise; absent when the file has one name. */
  readonly inode?: number | string;
}

/**
 * Read access to a file system, whatever holds it: a table of contents over layers, a mounted tree, a build context.
 * Paths are relative to the root, clean, without a leading slash; '' is the root. No method ever leaves the root, and
 * none but `resolve` follows a link: `lstat('a/b')` where `a` is a symlink gives undefined.
 * Absence is undefined; damage and refusal are thrown.
 */
export interface RefView {
  lstat(path: ByteString): ViewEntry | undefined;
  /** Names in a directory, in byte order; undefined when `path` is not a directory. */
  list(path: ByteString): readonly ByteString[] | undefined;
  /** A whole small file (passwd, group). Throws BuildError ARCHIVE_INVALID when it exceeds `maxBytes`. */
  readFile(path: ByteString, maxBytes: number): Promise<Buffer | undefined>;
  /** The bytes of a regular file, in order. */
  open(path: ByteString): AsyncIterable<Buffer>;
  /** sha256 of a regular file's bytes, for views that have or can compute it better than by `open`. */
  contentDigest?(path: ByteString): Digest | Promise<Digest>;
  /** The same if it is at hand without reading the file. */
  knownDigest?(path: ByteString): Digest | undefined;
}
