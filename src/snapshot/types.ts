import type { ByteString } from '../base/bytes.js';

export type FileType = 'file' | 'dir' | 'symlink' | 'char' | 'block' | 'fifo';

/** One file system object as `layer/entry.ts` describes it, in the members that a tree on disk has. */
export interface TreeEntry {
  /** Relative, clean, no leading or trailing slash; '' is the root. */
  readonly path: ByteString;
  readonly type: FileType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Whole seconds since 1970, rounded down. */
  readonly mtime: number;
  /** The part of the second, where it is known. Archives do not say it; directories on disk do. */
  readonly mtimeNanoseconds?: number;
  readonly linkname?: ByteString;
  readonly devMajor?: number;
  readonly devMinor?: number;
  readonly xattrs?: ReadonlyMap<string, Buffer>;
  /** Equal for the names of one file; absent when it has one name. */
  readonly inode?: number | string;
}

/** A tree entry, or a further name of an entry that stands earlier: `linkname` is that one's path. */
export interface ChangeEntry extends Omit<TreeEntry, 'type'> {
  readonly type: FileType | 'hardlink';
}

/** One path of a diff, in the order and form in which it goes into a layer. */
export type Change =
  | {
      readonly kind: 'present';
      readonly entry: ChangeEntry;
      /** Where the bytes of a regular file lie; absolute. For other types, where the object lies. */
      readonly contentPath: ByteString;
    }
  | { readonly kind: 'removed'; readonly path: ByteString };

/** What a diff needs to know about the tree below: the shape of `layer/ref-view.ts`. */
export interface LowerView {
  lstat(path: ByteString): Omit<TreeEntry, 'inode'> | undefined;
  list(path: ByteString): readonly ByteString[] | undefined;
  open(path: ByteString): AsyncIterable<Buffer>;
}
