import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { Cancel } from '../../base/abort.js';
import { type ByteString, fromText, toFsPath, toText } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { lutimesNs } from '../../base/linux/inode.js';
import { lstatIfThere } from '../../base/lstat.js';
import { removeAny } from '../../base/remove-tree.js';
import { copyTree } from '../../snapshot/copy-tree.js';
import { partFromElsewhere } from '../../snapshot/part-links.js';
import { resolveInRoot } from '../../snapshot/resolve-in-root.js';
import { relaySocket } from '../socket-relay.js';
import { fillDev } from './devices.js';
import { homeOf, identityOf, isFree, noteMove } from './moved-directories.js';

/** What stands in a root for the time of a RUN, where another rung mounts. */
export type Placement =
  | { readonly kind: 'file'; readonly content: Uint8Array | string; readonly mode: number }
  | { readonly kind: 'dir'; readonly mode: number }
  | { readonly kind: 'dev' }
  /** A file, socket or directory of the machine. What is written to the copy is thrown away; a socket leads to its own. */
  | { readonly kind: 'copy'; readonly source: string }
  /**
   * A directory or file on the same file system, which is itself there and goes home with all that was written to it; what the process
   * has linked to files of the root has files of its own then, as where a mount keeps it from linking. Placed once more, it
   * is there as a link to where it is.
   */
  | { readonly kind: 'moved'; readonly source: string };

interface Link {
  readonly kind: 'link';
  /** As a process in the root names it. */
  readonly to: ByteString;
}

export interface PlacementDirs {
  /** For what had to make room. Empty, outside of the root, on its file system; for these placements alone. */
  readonly aside: string;
  /** For the notes of `noteMove`. */
  readonly notes: string;
}

interface Placed {
  readonly name: ByteString;
  readonly parent: ByteString;
  readonly parentIdentity: string;
  /** What was there before, if anything. */
  readonly aside: ByteString | undefined;
  /** Of what was moved here: its name, the same without links above it, and whether it is a directory. */
  moved: { readonly source: string; readonly home: string; readonly isDirectory: boolean } | undefined;
  readonly closers: (() => void)[];
}

/**
 * What is placed in a root and taken out again, in the way mounts cover what they are mounted on: what was there comes back
 * as it was, the very same files, and the directories above keep their times. What the process has put in the place of a
 * placement is thrown away with it.
 */
export class Placements {
  readonly #root: ByteString;
  readonly #dirs: PlacementDirs;
  readonly #placed: Placed[] = [];
  /** False once a /dev had to do without devices. */
  hasDevices = true;

  constructor(root: ByteString, dirs: PlacementDirs) {
    this.#root = root;
    this.#dirs = dirs;
  }

  /**
   * Places at `target`, a path inside the root whose links are followed there. What is above it is made where it is missing,
   * which only happens inside of other placements (see `makeMountStubs`). Throws RUN_FAILED if a directory is in the way.
   */
  async place(target: ByteString, wanted: Placement, opts: Cancel): Promise<void> {
    const what = this.#found(wanted);
    const path = `${this.#root}/${resolveInRoot(this.#root, target)}`;
    const { parent, name } = split(path);
    mkdirSync(toFsPath(parent), { recursive: true, mode: 0o755 });
    const there = lstatIfThere(path);
    if (there?.isDirectory() && !isDirectory(what)) {
      throw new BuildError('RUN_FAILED', `cannot mount on "${toText(target)}": it is a directory`);
    }
    const times = timesOf(parent);
    const aside = there && `${fromText(this.#dirs.aside)}/${this.#placed.length}`;
    const placed: Placed = {
      name,
      parent,
      parentIdentity: identityOf(parent) ?? '',
      aside,
      moved: undefined,
      closers: [],
    };
    if (aside !== undefined) move(path, aside);
    this.#placed.push(placed);
    await this.#make(what, path, placed, opts);
    setTimes(parent, times);
  }

  /** What is to be placed may lie in a directory that has been moved. */
  #found(what: Placement): Placement | Link {
    const there = 'source' in what ? this.#moved(what.source) : undefined;
    if (there === undefined) return what;
    if (what.kind === 'moved') return { kind: 'link', to: there };
    return { kind: 'copy', source: toText(`${this.#root}${there}`) };
  }

  /** Takes everything out again, the last one first. Nothing of the RUN may be running any more. */
  remove(): void {
    for (let one = this.#placed.pop(); one; one = this.#placed.pop()) this.#removeOne(one);
  }

  async #make(what: Placement | Link, path: ByteString, placed: Placed, opts: Cancel): Promise<void> {
    switch (what.kind) {
      case 'file':
        writeFileSync(toFsPath(path), what.content, { flag: 'wx' });
        chmodSync(toFsPath(path), what.mode);
        return;
      case 'dir':
        makeDir(path, what.mode);
        return;
      case 'dev':
        makeDir(path, 0o755);
        this.hasDevices = fillDev(path);
        return;
      case 'link':
        symlinkSync(toFsPath(what.to), toFsPath(path));
        return;
      case 'copy':
        await copy(what.source, path, placed.closers, opts);
        return;
      case 'moved': {
        const home = homeOf(what.source);
        placed.closers.push(noteMove(this.#dirs.notes, home, path));
        placed.moved = { source: what.source, home, isDirectory: isDirectory(what) };
        move(fromText(home), path);
      }
    }
  }

  /** Where a directory has been moved to already, itself or with one that it lies in, as a process in the root names it. */
  #moved(source: string): ByteString | undefined {
    for (const { moved, parent, name } of this.#placed) {
      if (moved === undefined || !`${source}/`.startsWith(`${moved.source}/`)) continue;
      return `${parent}/${name}${fromText(source.slice(moved.source.length))}`.slice(this.#root.length);
    }
    return undefined;
  }

  #removeOne({ name, parent: made, parentIdentity, aside, moved, closers }: Placed): void {
    const parent = this.#find(made, parentIdentity);
    if (parent !== undefined) {
      const times = timesOf(parent);
      const path = `${parent}/${name}`;
      if (moved && isSameType(path, moved.isDirectory) && isFree(moved.home)) {
        partFromElsewhere(path);
        move(path, fromText(moved.home));
      }
      removeAny(path);
      if (aside !== undefined) move(aside, path);
      setTimes(parent, times);
    } else if (aside !== undefined) {
      removeAny(aside);
    }
    if (moved?.isDirectory && isFree(moved.home)) mkdirSync(moved.home); // whatever the process did to it: an empty one
    for (const close of closers.reverse()) close();
  }

  /** Where the directory is by now; undefined when the process has removed it. */
  #find(path: ByteString, identity: string): ByteString | undefined {
    return isReached(this.#root, path) && identityOf(path) === identity ? path : find(this.#root, identity);
  }
}

function isDirectory(what: Placement | Link): boolean {
  if (what.kind === 'copy' || what.kind === 'moved') return statSync(what.source).isDirectory();
  return what.kind !== 'file';
}

function isSameType(path: ByteString, isDirectory: boolean): boolean {
  const stat = lstatIfThere(path);
  return isDirectory ? stat?.isDirectory() === true : stat?.isFile() === true;
}

async function copy(source: string, path: ByteString, closers: (() => void)[], opts: Cancel): Promise<void> {
  const stat = statSync(source);
  if (stat.isSocket()) {
    await relaySocket(toText(path), source, closers);
    lchownSync(toFsPath(path), stat.uid, stat.gid);
    chmodSync(toFsPath(path), stat.mode & 0o7777);
    return;
  }
  if (stat.isDirectory()) mkdirSync(toFsPath(path));
  copyTree(fromText(source), path, opts);
}

function makeDir(path: ByteString, mode: number): void {
  mkdirSync(toFsPath(path));
  chmodSync(toFsPath(path), mode); // whatever the umask
  chownSync(toFsPath(path), 0, 0); // whatever a setgid bit above says
}

/** Renames; a directory keeps its own times, which its new parent's name in it may change. */
function move(from: ByteString, to: ByteString): void {
  const times = timesOf(from);
  renameSync(toFsPath(from), toFsPath(to));
  setTimes(to, times);
}

interface Times {
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
}

function timesOf(path: ByteString): Times {
  return lstatSync(toFsPath(path), { bigint: true });
}

function setTimes(path: ByteString, { atimeNs, mtimeNs }: Times): void {
  lutimesNs(path, atimeNs, mtimeNs);
}

function split(path: ByteString): { readonly parent: ByteString; readonly name: ByteString } {
  const slash = path.lastIndexOf('/');
  return { parent: path.slice(0, slash), name: path.slice(slash + 1) };
}

/** Whether nothing but directories leads there: behind a link lie files of the machine. */
function isReached(root: ByteString, dir: ByteString): boolean {
  let at = root;
  for (const name of dir.slice(root.length + 1).split('/')) {
    if (name !== '') at = `${at}/${name}`;
    if (!lstatIfThere(at)?.isDirectory()) return false;
  }
  return true;
}

/** A directory in a tree by what it is, for a process that has renamed it. */
function find(dir: ByteString, identity: string): ByteString | undefined {
  for (const entry of readdirSync(toFsPath(dir), { withFileTypes: true, encoding: 'latin1' })) {
    if (!entry.isDirectory()) continue;
    const path = `${dir}/${entry.name}`;
    const found = identityOf(path) === identity ? path : find(path, identity);
    if (found !== undefined) return found;
  }
  return undefined;
}
