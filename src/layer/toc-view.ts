import { createHash } from 'node:crypto';
import { type ByteString, toText } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import type { Digest } from '../oci/digest.js';
import { applyEntry, type Applied } from './apply-entry.js';
import { MergedTree, type TreeNode } from './merged-tree.js';
import type { RefView, ViewEntry } from './ref-view.js';
import type { Toc, TocEntry } from './toc.js';

/** Gives the content of a file of layer number `layer` (0 is the lowest), holes as zeros. */
export type OpenContent = (layer: number, entry: TocEntry) => AsyncIterable<Buffer>;

/**
 * The file system that a stack of layers makes, out of their tables of contents. Building it throws ARCHIVE_INVALID
 * for layers that do not fit together: a hard link to nothing, a file used as a directory.
 */
export class TocView implements RefView {
  readonly #tree = new MergedTree();
  readonly #open: OpenContent;

  /**
   * `tocs`: lowest layer first. `rootMtime`: of the root, in seconds, if no layer says it. `onApplied`: told what each entry
   * did.
   */
  constructor(
    tocs: readonly Pick<Toc, 'entries'>[],
    open: OpenContent,
    rootMtime = 0,
    onApplied?: (layer: number, entry: TocEntry, applied: Applied) => void,
  ) {
    this.#open = open;
    const root = this.#tree.root.file;
    root.meta = { ...root.meta, mtime: rootMtime };
    for (const [layer, toc] of tocs.entries()) {
      for (const entry of toc.entries) {
        const applied = applyEntry(this.#tree, layer, entry, entry);
        onApplied?.(layer, entry, applied);
      }
    }
  }

  lstat(path: ByteString): ViewEntry | undefined {
    const node = this.#tree.find(path);
    if (!node) return undefined;
    const { meta, names, id } = node.file;
    return { path, ...meta, ...(names > 1 && { inode: id }) };
  }

  /** Where the content of a regular file stands; undefined for anything else. */
  locate(path: ByteString): { readonly layer: number; readonly entry: TocEntry } | undefined {
    const file = this.#tree.find(path)?.file;
    return file?.meta.type === 'file' && file.source ? { layer: file.sourceLayer, entry: file.source } : undefined;
  }

  list(path: ByteString): readonly ByteString[] | undefined {
    const node = this.#tree.find(path);
    return node?.file.meta.type === 'dir' ? this.#tree.names(node) : undefined;
  }

  async readFile(path: ByteString, maxBytes: number): Promise<Buffer | undefined> {
    const node = this.#tree.find(path);
    if (node?.file.meta.type !== 'file') return undefined;
    if (node.file.meta.size > maxBytes) {
      throw new BuildError('ARCHIVE_INVALID', `\`${toText(path)}\` is larger than ${maxBytes} bytes`);
    }
    const parts: Buffer[] = [];
    for await (const bytes of this.#contentOf(node)) parts.push(Buffer.from(bytes));
    return Buffer.concat(parts);
  }

  open(path: ByteString): AsyncIterable<Buffer> {
    return this.#contentOf(this.#fileAt(path));
  }

  /** At once where the tables have digests; else the file is read. */
  contentDigest(path: ByteString): Digest | Promise<Digest> {
    return this.#fileAt(path).file.source?.digest ?? this.#hashed(path);
  }

  async #hashed(path: ByteString): Promise<Digest> {
    const hash = createHash('sha256');
    for await (const bytes of this.open(path)) hash.update(bytes);
    return `sha256:${hash.digest('hex')}` as Digest;
  }

  knownDigest(path: ByteString): Digest | undefined {
    return this.#tree.find(path)?.file.source?.digest;
  }

  async *#contentOf(node: TreeNode): AsyncGenerator<Buffer, void, undefined> {
    const { source } = node.file;
    if (!source || source.size === 0) return;
    if (source.bytes) yield source.bytes;
    else yield* this.#open(node.file.sourceLayer, source);
  }

  #fileAt(path: ByteString): TreeNode {
    const node = this.#tree.find(path);
    if (node?.file.meta.type === 'file') return node;
    throw new BuildError('PATH_NOT_FOUND', `no file \`${toText(path)}\` in the image`);
  }
}
