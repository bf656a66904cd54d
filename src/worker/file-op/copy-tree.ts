import type { ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import type { ContentSource } from './change-set.js';
import { makeDirs } from './make-dirs.js';
import type { ModeChange } from './mode-set.js';
import { copyOptional, newInode, type Inode, type Overlay } from './overlay.js';
import type { UserIds } from './owner.js';
import { baseOf, cleanPath, joinPath, parentOf, shown } from './paths.js';
import type { PathFilter, FilterState } from './path-filter.js';
import { resolveLinks } from './resolve-links.js';

/** What is copied from: a view and how the bytes of its files are named. */
export interface CopySource {
  readonly view: RefView;
  readonly contentOf: (path: ByteString, size: number) => ContentSource;
}

export interface CopyOptions {
  readonly owner: UserIds | undefined;
  /** Octal mode of everything that is copied or made. */
  readonly mode: number | undefined;
  /** Symbolic mode, for what is copied only. */
  readonly changeMode: ModeChange | undefined;
  /** Seconds; undefined keeps the source's. */
  readonly mtime: number | undefined;
  readonly followLinks: boolean;
  readonly dirContents: boolean;
  readonly replaceExisting: boolean;
  readonly include: PathFilter | undefined;
  readonly exclude: PathFilter | undefined;
  readonly signal: AbortSignal;
}

/**
 * Copies `src` to `dest` as `cp -a` does and as BuildKit's copier (fsutil/copy) decides the details. A trailing slash of
 * `dest` says that it is a directory. The parents of `dest` are made as needed.
 */
export function copyTree(
  source: CopySource,
  src: ByteString,
  overlay: Overlay,
  dest: ByteString,
  options: CopyOptions,
): void {
  new Copier(source, overlay, options).run(src, dest);
}

const DEFAULT_DIR_MODE = 0o755;

/** A source directory that is made in the destination once something below it is to be copied. */
interface PendingDir {
  readonly from: ByteString;
  readonly to: ByteString;
  done: boolean;
}

class Copier {
  readonly #source: CopySource;
  readonly #overlay: Overlay;
  readonly #options: CopyOptions;
  /** Where the first name of a source file with several names went. */
  readonly #linked = new Map<number | string, ByteString>();
  readonly #parents: PendingDir[] = [];

  constructor(source: CopySource, overlay: Overlay, options: CopyOptions) {
    this.#source = source;
    this.#overlay = overlay;
    this.#options = options;
  }

  run(src: ByteString, dest: ByteString): void {
    const { mode, owner, mtime, followLinks } = this.#options;
    const newDirs = { mode: mode ?? DEFAULT_DIR_MODE, owner, mtime };
    const last = baseOf(dest);
    const isDir = last === '' || last === '.';
    const made = [...makeDirs(this.#overlay, resolveLinks(this.#overlay, isDir ? dest : parentOf(dest)), newDirs)];
    const from = resolveLinks(this.#source.view, src, followLinks);
    const entry = this.#source.view.lstat(from);
    if (entry === undefined) {
      throw new BuildError('PATH_NOT_FOUND', `lstat ${shown(cleanPath(src))}: no such file or directory`);
    }
    let to = resolveLinks(this.#overlay, dest);
    const there = this.#overlay.lstat(to);
    const isSourceDir = entry.type === 'dir';
    if (there !== undefined && (isSourceDir ? !this.#options.dirContents : there.type === 'dir')) {
      to = joinPath(to, baseOf(cleanPath(src)));
    }
    const target = this.#options.dirContents && isSourceDir && there === undefined ? to : parentOf(to);
    made.push(...makeDirs(this.#overlay, target, newDirs));
    this.#copy(entry, from, '', to, false, undefined, undefined);
    if (mtime !== undefined) for (const dir of made) this.#overlay.change(dir)!.mtime = mtime;
  }

  /** `relative` is the path below the source that patterns see; '' is the source itself, which no pattern judges. */
  #copy(
    entry: ViewEntry,
    from: ByteString,
    relative: ByteString,
    to: ByteString,
    overwrite: boolean,
    parentIncluded: FilterState | undefined,
    parentExcluded: FilterState | undefined,
  ): void {
    const { include, exclude } = this.#options;
    let wanted = true;
    let included: FilterState | undefined;
    let exclusion: FilterState | undefined;
    if (relative !== '') {
      if (include !== undefined) {
        included = include.judge(relative, parentIncluded);
        wanted = included.matched;
      }
      if (exclude !== undefined) {
        exclusion = exclude.judge(relative, parentExcluded);
        if (exclusion.matched) wanted = false;
      }
    }
    const isDir = entry.type === 'dir';
    if (!wanted && !isDir) return;
    let there = this.#overlay.lstat(to);
    if (wanted) {
      if (there !== undefined && this.#options.replaceExisting && !(isDir && there.type === 'dir')) {
        this.#overlay.remove(to);
        there = undefined;
      }
      this.#makePendingParents(overwrite);
    }
    if (!isDir) {
      this.#copyFile(entry, from, to, there);
      return;
    }
    const created = wanted && this.#makeDirOnly(entry, to, overwrite);
    const canEnter = !exclusion?.skippable;
    if (canEnter) {
      this.#parents.push({ from, to, done: wanted });
      this.#copyNames(from, relative, to, included, exclusion);
      this.#parents.pop();
    }
    if (overwrite ? wanted : created) this.#copyMetadata(entry, this.#overlay.change(to)!);
    // BuildKit "restores" the time of a directory that it copied into with the time of the source.
    else if (!overwrite && there !== undefined) this.#overlay.change(to)!.mtime = this.#options.mtime ?? entry.mtime;
  }

  #copyNames(
    from: ByteString,
    relative: ByteString,
    to: ByteString,
    included: FilterState | undefined,
    exclusion: FilterState | undefined,
  ): void {
    this.#options.signal.throwIfAborted();
    for (const name of this.#source.view.list(from) ?? []) {
      const path = joinPath(from, name);
      const entry = this.#source.view.lstat(path);
      // Views that are read live (a context) can lose a file between the two calls.
      if (entry === undefined)
        throw new BuildError('CONTEXT_INVALID', `\`${shown(path)}\` vanished while it was copied`);
      this.#copy(entry, path, joinPath(relative, name), joinPath(to, name), true, included, exclusion);
    }
  }

  #copyFile(entry: ViewEntry, from: ByteString, to: ByteString, there: ViewEntry | undefined): void {
    if (there?.type === 'dir') {
      throw new BuildError('COPY_FAILED', `cannot replace to directory ${shown(to)} with file`);
    }
    if (there !== undefined) this.#overlay.remove(to);
    const first = entry.type === 'file' && entry.inode !== undefined ? this.#linked.get(entry.inode) : undefined;
    let inode = first === undefined ? undefined : this.#overlay.change(first);
    if (inode === undefined) {
      inode = this.#inodeFor(entry, from);
      if (entry.type === 'file' && entry.inode !== undefined) this.#linked.set(entry.inode, to);
    }
    this.#overlay.put(to, inode);
    this.#copyMetadata(entry, inode);
  }

  #inodeFor(entry: ViewEntry, from: ByteString): Inode {
    // A block device comes out as a character device: BuildKit's copier clears the socket bits, which cover its type.
    const inode = newInode(entry.type === 'block' ? 'char' : entry.type, entry.mode, entry.mtime);
    inode.size = entry.type === 'file' ? entry.size : 0;
    if (entry.type === 'file') inode.content = this.#source.contentOf(from, entry.size);
    copyOptional(entry, inode);
    return inode;
  }

  /** The directory without its contents; says whether it is new. */
  #makeDirOnly(entry: ViewEntry, to: ByteString, overwrite: boolean): boolean {
    const there = this.#overlay.lstat(to);
    if (there === undefined) {
      this.#overlay.put(to, newInode('dir', entry.mode, entry.mtime));
      return true;
    }
    if (there.type !== 'dir') throw new BuildError('COPY_FAILED', `cannot copy to non-directory: ${shown(to)}`);
    if (overwrite) this.#overlay.change(to)!.mode = entry.mode;
    return false;
  }

  #makePendingParents(overwrite: boolean): void {
    for (const parent of this.#parents) {
      if (parent.done) continue;
      const entry = this.#source.view.lstat(parent.from)!;
      if (this.#makeDirOnly(entry, parent.to, overwrite)) this.#copyMetadata(entry, this.#overlay.change(parent.to)!);
      parent.done = true;
    }
  }

  #copyMetadata(entry: ViewEntry, inode: Inode): void {
    const { owner, mode, changeMode, mtime } = this.#options;
    inode.uid = owner?.uid ?? entry.uid;
    inode.gid = owner?.gid ?? entry.gid;
    if (entry.type !== 'symlink') {
      inode.mode = changeMode?.(entry.mode, entry.type === 'dir') ?? mode ?? entry.mode;
    }
    inode.mtime = mtime ?? entry.mtime;
    if (entry.xattrs !== undefined) {
      const before = inode.xattrs;
      inode.xattrs = before === undefined ? entry.xattrs : new Map([...before, ...entry.xattrs]);
    }
  }
}
