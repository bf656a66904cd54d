import type { ByteString } from '../base/bytes.js';

export type EntryType = 'file' | 'dir' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/** One file system object, as a tar header, a table of contents and a tree know it. */
export interface Entry {
  /** Relative, clean, no leading or trailing slash; '' is the root itself. */
  readonly path: ByteString;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for everything but files. */
  readonly size: number;
  /** Whole seconds since 1970, rounded down; may be negative. */
  readonly mtime: number;
  /** Symlink: the target as stored. Hard link: the path of the entry it is a name of, in the form of `path`. */
  readonly linkname?: ByteString;
  readonly devMajor?: number;
  readonly devMinor?: number;
  /** Every extended attribute, names as stored. Absent when there is none. */
  readonly xattrs?: ReadonlyMap<string, Buffer>;
}
