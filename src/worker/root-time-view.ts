import type { ByteString } from '../base/bytes.js';
import type { RefView, ViewEntry } from '../layer/ref-view.js';

/** A tree that was unpacked from layers, which do not say when its root was made: it shows what the layers would show. */
export class RootTimeView implements RefView {
  readonly contentDigest?: NonNullable<RefView['contentDigest']>;
  readonly #tree: RefView;
  readonly #mtime: number;

  /** `mtime`: seconds since 1970. */
  constructor(tree: RefView, mtime: number) {
    this.#tree = tree;
    if (tree.contentDigest) this.contentDigest = (path) => tree.contentDigest!(path);
    this.#mtime = mtime;
  }

  lstat(path: ByteString): ViewEntry | undefined {
    const entry = this.#tree.lstat(path);
    return path === '' && entry ? { ...entry, mtime: this.#mtime } : entry;
  }

  list(path: ByteString): readonly ByteString[] | undefined {
    return this.#tree.list(path);
  }

  readFile(path: ByteString, maxBytes: number): Promise<Buffer | undefined> {
    return this.#tree.readFile(path, maxBytes);
  }

  open(path: ByteString): AsyncIterable<Buffer> {
    return this.#tree.open(path);
  }
}
