import { closeSync, lstatSync } from 'node:fs';
import { type ByteString, toFsPath, toText } from '../base/bytes.js';
import { type Applied, applyEntry } from './apply-entry.js';
import { baseOf, dirOf, joinPath } from './entry-path.js';
import { type FileNode, type LowerView, MergedTree, type TreeNode } from './merged-tree.js';
import { NodeWriter, type Owners, type TreeDialect } from './node-writer.js';
import type { TarEntry } from './tar-entry.js';
import type { TarSink } from './tar-reader.js';
import { buildToc, type Toc } from './toc.js';

export interface UnpackOptions {
  readonly dialect: TreeDialect;
  /**
   * What is below the layer. In the overlay dialects the target is a new tree to be stacked on it; in 'plain' the
   * target holds it already and is changed in place.
   */
  readonly lower?: LowerView;
  /** Overlay dialects: the trees that make up `lower`, highest first. A hard link to a file in them copies it. */
  readonly lowerDirs?: readonly ByteString[];
  /** Default 'keep'. */
  readonly owners?: Owners;
}

export interface Unpacked {
  /** Devices that this process may not make, left out as containerd does in a user namespace. */
  readonly skippedDevices: readonly ByteString[];
}

/** The only layer number that an unpacker needs: all that is older is `BELOW`. */
const LAYER = 0;

/**
 * Makes a tree of a layer, with synchronous calls, for a process that is uid 0 of its user namespace. Feed it from a
 * `TarParser`, then call `finish`; disposing closes what is open if the parsing failed, and a tree that was not
 * finished is to be thrown away.
 *
 * No name leads out of the target: every path is resolved inside the merged view of `lower` and what the layer did so
 * far, so that the operating system meets directories only. Parents that a layer leaves out are made with the metadata
 * that the view has, or as 0:0 0755.
 */
export class LayerUnpacker implements TarSink {
  readonly #tree: MergedTree;
  readonly #writer: NodeWriter;
  readonly #isPlain: boolean;
  readonly #lowerDirs: readonly ByteString[];
  /** Nothing is below, so the target is seen as it is, with the names that are marks. */
  readonly #showsMarks: boolean;
  /** Names that exist in the target, put there by this layer. */
  readonly #there = new Set<TreeNode>();
  /** Markers of removal that were made, by the directory that they are in. */
  readonly #whiteouts = new Map<TreeNode, Set<ByteString>>();
  readonly #dirs = new Set<TreeNode>();
  readonly #skipped: ByteString[] = [];
  #fd: number | undefined;
  #node: TreeNode | undefined;
  #written = 0;

  /** `target`: an existing directory; empty but for 'plain'. */
  constructor(target: ByteString, options: UnpackOptions) {
    this.#tree = new MergedTree(options.lower);
    this.#writer = new NodeWriter(target, { dialect: options.dialect, owners: options.owners ?? 'keep' });
    this.#isPlain = options.dialect === 'plain';
    this.#lowerDirs = options.lowerDirs ?? [];
    this.#showsMarks = options.dialect === 'fuse' && this.#lowerDirs.length === 0;
    this.#there.add(this.#tree.root);
    if (!this.#isPlain) {
      this.#writer.setMeta('', this.#tree.root.file.meta);
      this.#dirs.add(this.#tree.root);
    }
  }

  entry(entry: TarEntry): void {
    const applied = applyEntry(this.#tree, LAYER, entry);
    this.#node = undefined;
    if (applied.kind === 'ignored') return;
    this.#ensureDirs(applied.dirs);
    if (applied.kind === 'placed') this.#place(applied);
    else this.#hide(applied);
  }

  data(bytes: Buffer, position: number): void {
    if (this.#fd === undefined) return; // the content of a marker
    this.#writer.writeFile(this.#node!.path, this.#fd, bytes, position);
    this.#written = position + bytes.length;
  }

  end(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    this.#writer.closeFile(this.#node!.path, fd, this.#node!.file.meta, this.#written);
  }

  /** Sets what must come last. Call when all entries have come. */
  finish(): Unpacked {
    for (const node of this.#dirs) {
      if (this.#tree.find(node.path) === node) this.#writer.setTime(node.path, node.file.meta);
    }
    return { skippedDevices: this.#skipped };
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #place(applied: Applied & { readonly kind: 'placed' }): void {
    const { node, replaced, target, dirs } = applied;
    const { path } = node;
    const { meta } = node.file;
    if (replaced === node && this.#isThere(node)) {
      this.#there.add(node);
      this.#dirs.add(node);
      return this.#writer.setMeta(path, meta);
    }
    if (replaced && replaced !== node) this.#vacate(replaced);
    this.#dropWhiteout(dirs.at(-1)!, path);
    if (target) {
      if (!this.#link(node, target, applied.targetFile!)) {
        this.#skipped.push(path);
        return;
      }
    } else if (meta.type === 'dir') this.#makeDir(dirs.at(-1)!, node);
    else if (meta.type === 'symlink') this.#writer.makeSymlink(path, meta);
    else if (meta.type === 'file') {
      this.#fd = this.#writer.openFile(path);
      this.#node = node;
      this.#written = 0;
    } else if (!this.#writer.makeSpecial(path, { ...meta, type: meta.type })) {
      this.#skipped.push(path);
      return;
    }
    this.#there.add(node);
  }

  #makeDir(parent: TreeNode, node: TreeNode): void {
    this.#writer.makeDir(node.path, node.file.meta);
    this.#dirs.add(node);
    this.#there.add(node);
    const hasLower = this.#tree.lowerEntry(parent, baseOf(node.path))?.type === 'dir';
    if (!this.#isPlain && node.lower === undefined && hasLower) this.#writer.makeOpaque(node.path);
  }

  /**
   * Metadata go to the one file that all names share, so they are set once more after each further name. False if that is
   * a device which this process may not make.
   */
  #link(node: TreeNode, target: TreeNode, before: FileNode): boolean {
    if (!this.#there.has(target)) {
      if (!this.#isPlain) {
        if (!this.#copyUp(target, before)) return false;
      } else if (!target.isBelow) return false;
      else if (before.lowerInode !== undefined) this.#part(target, before);
    }
    this.#writer.makeLink(node.path, target.path);
    this.#writer.setMeta(node.path, node.file.meta);
    this.#writer.setTime(node.path, node.file.meta);
    return true;
  }

  #copyUp(node: TreeNode, file: FileNode): boolean {
    this.#ensureDirs(this.#tree.resolveDir(dirOf(node.path)).chain);
    if (file.meta.type === 'file') {
      this.#writer.copyFile(node.path, this.#findBelow(file.lowerPath ?? ''), file.meta);
    } else if (!this.#makeAgain(node, file)) return false;
    this.#there.add(node);
    return true;
  }

  /** As in an overlay: a file that is written to leaves the names it had in older layers. */
  #part(node: TreeNode, file: FileNode): void {
    this.#ensureDirs(this.#tree.resolveDir(dirOf(node.path)).chain); // their times change with it
    if (file.meta.type === 'file') this.#writer.partFile(node.path, file.meta);
    else {
      this.#writer.removeFile(node.path);
      if (!this.#makeAgain(node, file)) throw new Error(`a device was there: ${toText(node.path)}`);
    }
    this.#there.add(node);
  }

  /** False for a device that this process may not make. */
  #makeAgain({ path }: TreeNode, { meta }: FileNode): boolean {
    if (meta.type === 'dir' || meta.type === 'file') throw new Error(`not to be made again: ${toText(path)}`);
    if (meta.type !== 'symlink') return this.#writer.makeSpecial(path, { ...meta, type: meta.type });
    this.#writer.makeSymlink(path, meta);
    return true;
  }

  /** The highest tree that has a path has the right one: what hides it would have hidden it from the view. */
  #findBelow(path: ByteString): ByteString {
    const names = path.split('/');
    for (const dir of this.#lowerDirs) {
      let at = dir;
      const isThere = names.every((name, i) => {
        at = joinPath(at, name);
        const stat = lstatSync(toFsPath(at), { throwIfNoEntry: false });
        return stat !== undefined && (i === names.length - 1 ? stat.isFile() : stat.isDirectory());
      });
      if (isThere) return at;
    }
    throw new Error(`no lower tree has \`${toText(path)}\``);
  }

  #hide(applied: Applied & { readonly kind: 'removed' | 'opaque' }): void {
    const dir = applied.dirs.at(-1)!;
    for (const node of applied.hidden) this.#vacate(node);
    if (this.#isPlain) return;
    if (applied.kind === 'opaque') return this.#showsMarks ? undefined : this.#makeOpaque(dir);
    const below = this.#tree.lowerEntry(dir, applied.name);
    if (applied.kept) {
      const isDir = applied.kept.file.meta.type === 'dir' && this.#there.has(applied.kept);
      if (isDir && below?.type === 'dir') this.#makeOpaque(applied.kept);
      return;
    }
    const path = joinPath(dir.path, applied.name);
    const made = this.#whiteouts.get(dir) ?? new Set();
    if (!below || made.has(path)) return;
    this.#writer.makeWhiteout(path);
    this.#whiteouts.set(dir, made.add(path));
  }

  /** In a directory with nothing below, overlayfs would list markers of removal as names. */
  #makeOpaque(dir: TreeNode): void {
    this.#writer.makeOpaque(dir.path);
    const clear = (node: TreeNode): void => {
      for (const path of this.#whiteouts.get(node) ?? []) this.#writer.removeWhiteout(path);
      this.#whiteouts.delete(node);
      for (const child of node.children.values()) if (child !== 'removed') clear(child);
    };
    clear(dir);
  }

  #dropWhiteout(dir: TreeNode, path: ByteString): void {
    if (this.#whiteouts.get(dir)?.delete(path)) this.#writer.removeWhiteout(path);
  }

  /** Directories of the view become directories of the target, with what the view says of them. */
  #ensureDirs(dirs: readonly TreeNode[]): void {
    for (const [i, node] of dirs.entries()) {
      this.#dirs.add(node);
      if (this.#isThere(node)) continue;
      this.#dropWhiteout(dirs[i - 1]!, node.path);
      this.#makeDir(dirs[i - 1]!, node);
    }
  }

  #isThere(node: TreeNode): boolean {
    return this.#there.has(node) || (this.#isPlain && node.isBelow);
  }

  /** Removes from the target what the tree no longer has. */
  #vacate(node: TreeNode): void {
    if (this.#isThere(node)) this.#writer.removeTree(node.path);
  }
}

/** Unpacks an uncompressed layer into `target`; its table of contents and diffId come from the same pass. */
export async function unpackLayer(
  stream: AsyncIterable<Buffer> | Iterable<Buffer>,
  target: ByteString,
  options: UnpackOptions,
): Promise<Unpacked & { readonly toc: Toc }> {
  const unpacker = new LayerUnpacker(target, options);
  try {
    const toc = await buildToc(stream, unpacker);
    return { toc, ...unpacker.finish() };
  } finally {
    unpacker[Symbol.dispose]();
  }
}
