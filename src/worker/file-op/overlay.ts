import { compareBytes, type ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import type { Digest } from '../../oci/digest.js';
import type { ContentSource } from './change-set.js';
import { digestContent, openContent, viewContent } from './content.js';
import { baseOf, joinPath, parentOf, shown } from './paths.js';

/** What names of one file share; a plain record that is changed in place. */
export interface Inode {
  readonly id: number;
  type: ViewEntry['type'];
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  linkname?: ByteString;
  devMajor?: number;
  devMinor?: number;
  xattrs?: ReadonlyMap<string, Buffer>;
  /** For files. */
  content?: ContentSource;
  /** How many paths of the overlay name it. */
  names: number;
}

export type OverlayNode = Inode | OverlayDir | 'removed';

/** A directory that was made, changed, or has something changed below it. */
export class OverlayDir {
  readonly children = new Map<ByteString, OverlayNode>();

  constructor(
    readonly inode: Inode,
    /** The directory of this path in the base shows through where `children` says nothing. */
    readonly overBase: boolean,
  ) {}
}

export interface OverlayOptions {
  /** The op's inputs, which `ContentSource.input` counts. */
  readonly inputs: readonly RefView[];
  /** Index of the base in `inputs`; -1 is an empty file system. */
  readonly base: number;
  /** Modification time of whatever the op touches, in seconds. */
  readonly now: number;
}

let lastId = 0;

/**
 * A writable file system in memory over a base that is only read. Behaves as a kernel file system does: a directory
 * that gains or loses a name takes the time `now`. Paths are clean and no method follows a link.
 */
export class Overlay implements RefView {
  readonly root: OverlayDir;
  readonly base: RefView | undefined;
  readonly options: OverlayOptions;
  #lastDir: { readonly path: ByteString; readonly dir: OverlayDir } | undefined;

  constructor(options: OverlayOptions, root?: OverlayDir) {
    this.options = options;
    this.base = options.base < 0 ? undefined : options.inputs[options.base];
    const entry = this.base?.lstat('');
    this.root =
      root ?? new OverlayDir(entry ? inodeOf(entry) : newInode('dir', 0o755, options.now), this.base !== undefined);
  }

  lstat(path: ByteString): ViewEntry | undefined {
    const node = this.#find(path);
    if (node === undefined) return undefined;
    if (node === 'base') {
      const entry = this.base!.lstat(path);
      return entry?.inode === undefined ? entry : { ...entry, inode: `base ${entry.inode}` };
    }
    return entryOf(path, node instanceof OverlayDir ? node.inode : node);
  }

  list(path: ByteString): readonly ByteString[] | undefined {
    const node = this.#find(path);
    if (node === undefined) return undefined;
    if (node === 'base') return this.base!.list(path);
    if (!(node instanceof OverlayDir)) return undefined;
    const names = new Set(node.overBase ? this.base!.list(path) : []);
    for (const [name, child] of node.children) {
      if (child === 'removed') names.delete(name);
      else names.add(name);
    }
    return [...names].sort(compareBytes);
  }

  async readFile(path: ByteString, maxBytes: number): Promise<Buffer | undefined> {
    const node = this.#find(path);
    if (node === 'base') return this.base!.readFile(path, maxBytes);
    if (node === undefined || node instanceof OverlayDir || node.type !== 'file') return undefined;
    if (node.size > maxBytes) throw new BuildError('ARCHIVE_INVALID', `\`${shown(path)}\` exceeds ${maxBytes} bytes`);
    const chunks: Buffer[] = [];
    for await (const chunk of this.open(path)) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  }

  async *open(path: ByteString): AsyncIterable<Buffer> {
    const content = this.contentOf(path);
    if (content === undefined) throw new BuildError('PATH_NOT_FOUND', `\`${shown(path)}\` is not a regular file`);
    yield* openContent(content, this.options.inputs);
  }

  knownDigest(path: ByteString): Digest | undefined {
    const content = this.contentOf(path);
    return content?.kind === 'view' ? this.options.inputs[content.input]?.knownDigest?.(content.path) : undefined;
  }

  async contentDigest(path: ByteString): Promise<Digest> {
    const content = this.contentOf(path);
    if (content === undefined) throw new BuildError('PATH_NOT_FOUND', `\`${shown(path)}\` is not a regular file`);
    return digestContent(content, this.options.inputs);
  }

  /** Where the bytes of a regular file are; undefined for anything else. */
  contentOf(path: ByteString): ContentSource | undefined {
    const node = this.#find(path);
    if (node === 'base') {
      const entry = this.base!.lstat(path);
      return entry?.type === 'file' ? viewContent(this.options.inputs, this.options.base, path, entry.size) : undefined;
    }
    return node === undefined || node instanceof OverlayDir ? undefined : node.content;
  }

  /** Puts a new name for `inode` where none is. The parent must be a directory. */
  put(path: ByteString, inode: Inode): void {
    const dir = this.#changeDir(parentOf(path));
    const name = baseOf(path);
    const hides = dir.children.get(name) === 'removed';
    const kept = inode.type === 'dir' ? new OverlayDir(inode, false) : inode;
    if (!hides && dir.overBase && this.base!.lstat(path) !== undefined) throw new Error(`${shown(path)} exists`);
    dir.children.set(name, kept);
    inode.names++;
    dir.inode.mtime = this.options.now;
  }

  /** Removes whatever is at `path`, with all that is below it; nothing there is fine. */
  remove(path: ByteString): void {
    if (this.#find(path) === undefined) return;
    this.#lastDir = undefined;
    const dir = this.#changeDir(parentOf(path));
    const name = baseOf(path);
    forgetNames(dir.children.get(name));
    if (dir.overBase && this.base!.lstat(path) !== undefined) dir.children.set(name, 'removed');
    else dir.children.delete(name);
    dir.inode.mtime = this.options.now;
    this.#lastDir = undefined;
  }

  /** The inode at `path`, to be changed in place; undefined if there is none. */
  change(path: ByteString): Inode | undefined {
    const node = this.#find(path);
    if (node === undefined) return undefined;
    if (node !== 'base') return node instanceof OverlayDir ? node.inode : node;
    const entry = this.base!.lstat(path)!;
    if (entry.type === 'dir') return this.#changeDir(path).inode;
    const inode = inodeOf(entry);
    const content = this.contentOf(path);
    if (content !== undefined) inode.content = content;
    inode.names = 1;
    this.#changeDir(parentOf(path)).children.set(baseOf(path), inode);
    return inode;
  }

  /** An overlay that can be changed apart from this one. */
  clone(): Overlay {
    const inodes = new Map<Inode, Inode>();
    const copyInode = (inode: Inode): Inode => {
      const copy = inodes.get(inode) ?? { ...inode, id: ++lastId };
      inodes.set(inode, copy);
      return copy;
    };
    const copyDir = (dir: OverlayDir): OverlayDir => {
      const copy = new OverlayDir(copyInode(dir.inode), dir.overBase);
      for (const [name, child] of dir.children) {
        if (child === 'removed') copy.children.set(name, child);
        else copy.children.set(name, child instanceof OverlayDir ? copyDir(child) : copyInode(child));
      }
      return copy;
    };
    return new Overlay(this.options, copyDir(this.root));
  }

  #find(path: ByteString): OverlayDir | Inode | 'base' | undefined {
    if (path === '') return this.root;
    const parent = parentOf(path);
    let dir: OverlayDir | undefined = this.#lastDir?.path === parent ? this.#lastDir.dir : undefined;
    if (dir === undefined) {
      dir = this.root;
      if (parent !== '') {
        for (const name of parent.split('/')) {
          const child: OverlayNode | undefined = dir.children.get(name);
          if (child === undefined) return dir.overBase && this.base!.lstat(path) !== undefined ? 'base' : undefined;
          if (!(child instanceof OverlayDir)) return undefined;
          dir = child;
        }
      }
      this.#lastDir = { path: parent, dir };
    }
    const child = dir.children.get(baseOf(path));
    if (child === 'removed') return undefined;
    return child ?? (dir.overBase && this.base!.lstat(path) !== undefined ? 'base' : undefined);
  }

  /** The directory at `path`, made changeable along with those above it. */
  #changeDir(path: ByteString): OverlayDir {
    if (this.#lastDir?.path === path) return this.#lastDir.dir;
    let dir = this.root;
    let at = '';
    for (const name of path === '' ? [] : path.split('/')) {
      at = joinPath(at, name);
      let child: OverlayNode | undefined = dir.children.get(name);
      if (child === undefined && dir.overBase) {
        const entry = this.base!.lstat(at);
        if (entry?.type === 'dir') {
          child = new OverlayDir(inodeOf(entry), true);
          dir.children.set(name, child);
        }
      }
      if (!(child instanceof OverlayDir)) throw new Error(`not a directory in the overlay: ${shown(at)}`);
      dir = child;
    }
    this.#lastDir = { path, dir };
    return dir;
  }
}

/** An inode that nothing names yet. */
export function newInode(type: Inode['type'], mode: number, mtime: number): Inode {
  return { id: ++lastId, type, mode, uid: 0, gid: 0, size: 0, mtime, names: 0 };
}

function inodeOf(entry: ViewEntry): Inode {
  const inode = newInode(entry.type, entry.mode, entry.mtime);
  inode.uid = entry.uid;
  inode.gid = entry.gid;
  inode.size = entry.size;
  copyOptional(entry, inode);
  return inode;
}

function entryOf(path: ByteString, inode: Inode): ViewEntry {
  const { type, mode, uid, gid, size, mtime } = inode;
  const entry: { -readonly [K in keyof ViewEntry]: ViewEntry[K] } = { path, type, mode, uid, gid, size, mtime };
  if (inode.names > 1 && type !== 'dir') entry.inode = inode.id;
  copyOptional(inode, entry);
  return entry;
}

type OptionalParts = Pick<Inode, 'linkname' | 'devMajor' | 'devMinor' | 'xattrs'>;

/** Type-specific parts, left out where they are absent. */
export function copyOptional(from: Readonly<OptionalParts>, to: OptionalParts): void {
  if (from.linkname !== undefined) to.linkname = from.linkname;
  if (from.devMajor !== undefined) to.devMajor = from.devMajor;
  if (from.devMinor !== undefined) to.devMinor = from.devMinor;
  if (from.xattrs !== undefined) to.xattrs = from.xattrs;
}

function forgetNames(node: OverlayNode | undefined): void {
  if (node === undefined || node === 'removed') return;
  if (!(node instanceof OverlayDir)) node.names--;
  else for (const child of node.children.values()) forgetNames(child);
}
