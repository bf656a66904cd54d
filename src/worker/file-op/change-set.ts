import type { ByteString } from '../../base/bytes.js';
import type { Entry } from '../../layer/entry.js';
import type { RefView } from '../../layer/ref-view.js';
import type { Digest } from '../../oci/digest.js';

/** Where the bytes of a file are. */
export type ContentSource =
  | { readonly kind: 'bytes'; readonly data: Buffer }
  /** A file of one of the op's inputs. `digest` is there when it is known without reading. */
  | {
      readonly kind: 'view';
      readonly input: number;
      readonly path: ByteString;
      readonly size: number;
      readonly digest?: Digest;
    }
  /** A range of an archive that was unpacked into a plain tar: `file` is a path of this machine. */
  | { readonly kind: 'archive'; readonly file: string; readonly offset: number; readonly size: number };

export type Change =
  /** `content` is there exactly for entries of type `file`. */
  | { readonly kind: 'present'; readonly entry: Entry; readonly content?: ContentSource }
  /** The path exists in the base and is gone; its parents are in the set, nothing below it is. */
  | { readonly kind: 'removed'; readonly path: ByteString };

/**
 * What a file op made of its base. In tar order: a tree walk, names compared as bytes in each directory. Every parent
 * directory of a changed path is in it, changed or not; the root never is. The first name of a hard-link group is the
 * file, the others are hard links to it.
 */
export interface ChangeSet {
  /** The input that the changes lie on; -1 is an empty file system. */
  readonly base: number;
  readonly changes: ReadonlyMap<ByteString, Change>;
  /** The base with the changes on it. */
  readonly view: RefView;
}
