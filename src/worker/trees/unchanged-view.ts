import { lstatSync } from 'node:fs';
import { toFsPath, type ByteString } from '../../base/bytes.js';
import { llistxattr } from '../../base/linux/xattr.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import type { Digest } from '../../oci/digest.js';
import { joinPath, parentOf } from '../file-op/paths.js';
import type { SeenView } from './seen-view.js';

/** How a path of a stack of trees relates to the highest of them. */
type Relation =
  /** That one has nothing there: the path, and all below it, is what the others show. */
  | 'same'
  /** A directory that shows what both have. */
  | 'merged'
  /** Whatever else it may be. */
  | 'other';

/** By these, overlayfs takes what is in a directory from elsewhere than from its namesakes below. */
const NOT_MERGED = /^(?:trusted|user)\.overlay\.(?:opaque|redirect|metacopy|whiteouts)$/;

/**
 * What a stack of trees shows, where what lies below the highest one was seen before: what the highest has not touched is
 * told from that. Which it is follows from its own directory alone, as overlayfs has it, and from no time.
 */
export class UnchangedView implements RefView {
  readonly #stack: RefView;
  readonly #seen: SeenView;
  readonly #highest: ByteString;
  readonly #relations = new Map<ByteString, Relation>();

  /** `highest`: the directory of the highest tree, of overlayfs; `seen`: of what the trees below it show. */
  constructor(stack: RefView, seen: SeenView, highest: ByteString) {
    this.#stack = stack;
    this.#seen = seen;
    this.#highest = highest;
  }

  lstat(path: ByteString): ViewEntry | undefined {
    const seen = this.#seen.entries.get(path);
    return seen && this.#relation(path) === 'same' ? seen : this.#stack.lstat(path);
  }

  list(path: ByteString): readonly ByteString[] | undefined {
    const seen = this.#seen.names.get(path);
    return seen && this.#relation(path) === 'same' ? seen : this.#stack.list(path);
  }

  contentDigest(path: ByteString): Digest | Promise<Digest> {
    const seen = this.#seen.digests.get(path);
    return seen && this.#relation(path) === 'same' ? seen : this.#stack.contentDigest!(path);
  }

  async readFile(path: ByteString, maxBytes: number): Promise<Buffer | undefined> {
    return await this.#stack.readFile(path, maxBytes);
  }

  open(path: ByteString): AsyncIterable<Buffer> {
    return this.#stack.open(path);
  }

  #relation(path: ByteString): Relation {
    let relation = this.#relations.get(path);
    if (!relation) this.#relations.set(path, (relation = this.#find(path)));
    return relation;
  }

  #find(path: ByteString): Relation {
    const dir = path === '' ? 'merged' : this.#relation(parentOf(path));
    if (dir !== 'merged') return dir;
    const at = joinPath(this.#highest, path);
    const stat = lstatSync(toFsPath(at), { throwIfNoEntry: false });
    if (!stat) return 'same';
    return stat.isDirectory() && !llistxattr(at).some((name) => NOT_MERGED.test(name)) ? 'merged' : 'other';
  }
}
