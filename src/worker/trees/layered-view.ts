import type { ByteString } from '../../base/bytes.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';

/**
 * A tree together with the layers that it was made of: content, times and names of files from the tree, and from the
 * layers what the disk could not be given: owners, and device nodes.
 */
export class LayeredView implements RefView {
  readonly contentDigest?: NonNullable<RefView['contentDigest']>;
  readonly #tree: RefView;
  readonly #layers: Pick<RefView, 'lstat' | 'list'>;

  constructor(tree: RefView, layers: Pick<RefView, 'lstat' | 'list'>) {
    this.#tree = tree;
    if (tree.contentDigest) this.contentDigest = (path) => tree.contentDigest!(path);
    this.#layers = layers;
  }

  lstat(path: ByteString): ViewEntry | undefined {
    const recorded = this.#layers.lstat(path);
    const there = this.#tree.lstat(path);
    if (!there) return recorded && isDevice(recorded) ? recorded : undefined;
    return recorded ? { ...there, uid: recorded.uid, gid: recorded.gid } : there;
  }

  list(path: ByteString): readonly ByteString[] | undefined {
    const there = this.#tree.list(path);
    const all = there && this.#layers.list(path);
    if (!all || all.length === there.length) return there;
    const names = new Set(there);
    const prefix = path === '' ? '' : `${path}/`;
    const lacking = all.filter((name) => {
      const recorded = names.has(name) ? undefined : this.#layers.lstat(`${prefix}${name}`);
      return recorded !== undefined && isDevice(recorded);
    });
    return [...there, ...lacking].sort();
  }

  readFile(path: ByteString, maxBytes: number): Promise<Buffer | undefined> {
    return this.#tree.readFile(path, maxBytes);
  }

  open(path: ByteString): AsyncIterable<Buffer> {
    return this.#tree.open(path);
  }
}

export function isDevice({ type }: { readonly type: string }): boolean {
  return type === 'char' || type === 'block';
}
