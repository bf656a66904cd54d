import { type ByteString, compareBytes, toText } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { cleanPath, joinPath } from './entry-path.js';
import type { ViewEntry } from './ref-view.js';
import type { TocEntry } from './toc.js';

/** One file: what its names share. */
export interface FileNode {
  meta: Omit<ViewEntry, 'path' | 'inode'>;
  /** Names of it in the tree, as far as layers made them. */
  names: number;
  /** Layer that it comes from; `BELOW` for the view below all layers. */
  layer: number;
  /** Where its content is, and in which layer; absent for what comes from below. */
  readonly source?: TocEntry;
  readonly sourceLayer: number;
  /** From below: where it is there, and which names it shares there. */
  readonly lowerPath?: ByteString;
  readonly lowerInode?: number | string;
  readonly id: number;
}

/** One name in the tree. */
export interface TreeNode {
  readonly path: ByteString;
  /** The view below has this very name. */
  readonly isBelow: boolean;
  file: FileNode;
  /** Directories: entries that layers put here, or that were looked up below; 'removed' hides a name below. */
  readonly children: Map<ByteString, TreeNode | 'removed'>;
  /** Directories: the directory of the view below whose entries show through; undefined when none do. */
  lower: ByteString | undefined;
  /** Last layer that named it, or something in it. */
  touched: number;
}

export const BELOW = -1;

/** What a `MergedTree` needs of the view below it. */
export interface LowerView {
  lstat(path: ByteString): ViewEntry | undefined;
  list(path: ByteString): readonly ByteString[] | undefined;
}

type Meta = FileNode['meta'];

const IMPLIED: Meta = { type: 'dir', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0 };

/**
 * The file system that layers make, one laid on the other, over an optional view below. Only names and metadata; what
 * is below is looked up when it is needed. Links are resolved inside the tree, never by the operating system.
 */
export class MergedTree {
  readonly root: TreeNode;
  readonly #lower: LowerView | undefined;
  #ids = 0;

  constructor(lower?: LowerView) {
    this.#lower = lower;
    const entry = lower?.lstat('');
    const file = this.#fileOf(entry ? metaOf(entry) : IMPLIED, BELOW, undefined, lower && '');
    this.root = { path: '', isBelow: true, file, children: new Map(), lower: lower && '', touched: BELOW };
  }

  child(dir: TreeNode, name: ByteString): TreeNode | undefined {
    const known = dir.children.get(name);
    if (known !== undefined) return known === 'removed' ? undefined : known;
    const lowerPath = this.lowerPath(dir, name);
    const entry = lowerPath === undefined ? undefined : this.#lower!.lstat(lowerPath);
    if (!entry) return undefined;
    const isDir = entry.type === 'dir';
    const file = this.#fileOf(metaOf(entry), BELOW, undefined, lowerPath, entry.inode);
    const path = joinPath(dir.path, name);
    const lower = isDir ? lowerPath : undefined;
    const node: TreeNode = { path, isBelow: true, file, children: childrenOf(file), lower, touched: BELOW };
    dir.children.set(name, node);
    return node;
  }

  /** Where the view below would have `name` of `dir`; undefined when nothing shows through. */
  lowerPath(dir: TreeNode, name: ByteString): ByteString | undefined {
    return dir.lower === undefined ? undefined : joinPath(dir.lower, name);
  }

  lowerEntry(dir: TreeNode, name: ByteString): ViewEntry | undefined {
    const path = this.lowerPath(dir, name);
    return path === undefined ? undefined : this.#lower!.lstat(path);
  }

  /** Names in byte order. */
  names(dir: TreeNode): ByteString[] {
    const names = new Set(dir.lower === undefined ? [] : this.#lower!.list(dir.lower));
    for (const [name, node] of dir.children) {
      if (node === 'removed') names.delete(name);
      else names.add(name);
    }
    return [...names].sort(compareBytes);
  }

  /** The node at a clean path, no link followed. */
  find(path: ByteString): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    if (path === '') return node;
    for (const name of path.split('/')) {
      node = node.file.meta.type === 'dir' ? this.child(node, name) : undefined;
      if (!node) return undefined;
    }
    return node;
  }

  /**
   * Resolves the directory part of an entry's path, links followed inside the tree. The chain of directories from the
   * root that exist, and the names after them that do not. Throws ARCHIVE_INVALID where a file stands in the way.
   */
  resolveDir(dir: ByteString): { readonly chain: readonly TreeNode[]; readonly missing: readonly ByteString[] } {
    const chain = [this.root];
    const missing: ByteString[] = [];
    let followed = 0;
    const rest = dir === '' ? [] : dir.split('/').reverse();
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (missing.length > 0) missing.pop();
        else if (chain.length > 1) chain.pop();
        continue;
      }
      const node = missing.length > 0 ? undefined : this.child(chain.at(-1)!, name);
      if (!node) missing.push(name);
      else if (node.file.meta.type === 'dir') chain.push(node);
      else if (node.file.meta.type === 'symlink') {
        if (++followed > limits.symlinks) throw invalid(`too many links in \`${toText(dir)}\``);
        const target = node.file.meta.linkname ?? '';
        if (target.startsWith('/')) chain.length = 1;
        rest.push(...target.split('/').reverse());
        if (rest.length > limits.pathBytes) throw invalid(`too many links in \`${toText(dir)}\``);
      } else throw invalid(`\`${toText(node.path)}\` is not a directory`);
    }
    return { chain, missing };
  }

  /** The node that a hard link names: links are followed in its directory, not in its last name. */
  resolveLink(target: ByteString): TreeNode | undefined {
    const path = cleanPath(target);
    const slash = path.lastIndexOf('/');
    const { chain, missing } = this.resolveDir(slash < 0 ? '' : path.slice(0, slash));
    if (missing.length > 0) return undefined;
    return path === '' ? this.root : this.child(chain.at(-1)!, path.slice(slash + 1));
  }

  /** Makes the directories of a resolved path that are missing, as 0:0 0755. All of the chain counts as touched. */
  makeDirs(chain: readonly TreeNode[], missing: readonly ByteString[], layer: number): TreeNode[] {
    const all = [...chain];
    for (const node of chain) node.touched = layer;
    for (const name of missing) all.push(this.put(all.at(-1)!, name, IMPLIED, layer));
    return all;
  }

  /** Puts a new file or directory in the place of whatever is there. Nothing of a directory below shows through. */
  put(dir: TreeNode, name: ByteString, meta: Meta, layer: number, source?: TocEntry): TreeNode {
    return this.#place(dir, name, this.#fileOf(meta, layer, source), layer);
  }

  /** Puts a further name of `target`'s file; what is from an older layer becomes a file of this one first. */
  link(dir: TreeNode, name: ByteString, target: TreeNode, layer: number): TreeNode {
    if (target.file.layer !== layer) this.copyUp(target, layer);
    return this.#place(dir, name, target.file, layer);
  }

  /** Gives a directory that is there already the metadata of an entry; what is in it stays. */
  renew(node: TreeNode, meta: Meta, layer: number): void {
    node.file.names--;
    node.file = this.#fileOf(meta, layer);
    node.file.names = 1;
    node.touched = layer;
  }

  /** Makes a file of an older layer one of this layer: its other names keep the old one. */
  copyUp(node: TreeNode, layer: number): void {
    const { meta, source, sourceLayer, lowerPath } = node.file;
    node.file.names--;
    node.file = { ...this.#fileOf(meta, layer, source, lowerPath), sourceLayer, names: 1 };
  }

  /**
   * Hides `name` of older layers; what this layer itself put there stays, alone. `hidden` gets the top node of all that
   * goes; the answer is the node that stays.
   */
  remove(dir: TreeNode, name: ByteString, layer: number, hidden: (node: TreeNode) => void): TreeNode | undefined {
    const node = this.child(dir, name);
    if (!node) return undefined;
    if (node.touched === layer) {
      this.hideOlder(node, layer, hidden);
      return node;
    }
    this.#forget(node);
    dir.children.set(name, 'removed');
    hidden(node);
    return undefined;
  }

  /** Hides everything in a directory that this layer has not put there; `hidden` gets the top node of all that goes. */
  hideOlder(dir: TreeNode, layer: number, hidden: (node: TreeNode) => void): void {
    if (dir.file.meta.type !== 'dir') return;
    for (const name of this.names(dir)) {
      const node = this.child(dir, name);
      if (!node) continue;
      if (node.touched === layer) this.hideOlder(node, layer, hidden);
      else {
        this.#forget(node);
        dir.children.delete(name);
        hidden(node);
      }
    }
    dir.lower = undefined;
  }

  #place(dir: TreeNode, name: ByteString, file: FileNode, layer: number): TreeNode {
    const old = dir.children.get(name);
    if (joinPath(dir.path, name).length > limits.pathBytes) {
      throw invalid(`a path is too long: \`${toText(dir.path.slice(0, 100))}…\``);
    }
    file.names++; // before the old name is forgotten: it may be the same file's
    if (old !== undefined && old !== 'removed') this.#forget(old);
    const path = joinPath(dir.path, name);
    const node: TreeNode = { path, isBelow: false, file, children: childrenOf(file), lower: undefined, touched: layer };
    dir.children.set(name, node);
    return node;
  }

  #forget(node: TreeNode): void {
    node.file.names--;
    for (const child of node.children.values()) if (child !== 'removed') this.#forget(child);
  }

  #fileOf(
    meta: Meta,
    layer: number,
    source?: TocEntry,
    lowerPath?: ByteString,
    lowerInode?: number | string,
  ): FileNode {
    return {
      meta,
      names: layer === BELOW ? 1 : 0,
      layer,
      sourceLayer: layer,
      id: ++this.#ids,
      ...(source && { source }),
      ...(lowerPath !== undefined && { lowerPath }),
      ...(lowerInode !== undefined && { lowerInode }),
    };
  }
}

/** Of all that is no directory, which are most: a map each would take as much memory as the rest of a name. */
class NoChildren extends Map<ByteString, TreeNode | 'removed'> {
  override set(): never {
    throw new Error('only a directory has entries');
  }
}

const NO_CHILDREN = new NoChildren();

function childrenOf({ meta }: FileNode): TreeNode['children'] {
  return meta.type === 'dir' ? new Map() : NO_CHILDREN;
}

function metaOf(entry: ViewEntry): Meta {
  const { path: _path, inode: _inode, ...meta } = entry;
  return meta;
}

function invalid(message: string): BuildError {
  return new BuildError('ARCHIVE_INVALID', `invalid layer: ${message}`);
}
