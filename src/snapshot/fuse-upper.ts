import { chmodSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { lutimes, lutimesNs } from '../base/linux/inode.js';
import { lgetxattr, lremovexattr } from '../base/linux/xattr.js';
import { isOpaque, WHITEOUT } from './tree-entry.js';
import type { LowerView, TreeEntry } from './types.js';

/** fuse-overlayfs notes on a regular file that it copied up where it had it from. */
const ORIGIN = 'user.fuseoverlayfs.origin';

/** Nanoseconds since 1970, by path. */
export type SeenTimes = ReadonlyMap<ByteString, bigint>;

/**
 * The times that a process saw of directories, where the upper directory has others. To copy up a file fuse-overlayfs moves it into
 * its directory, which gets a new time by that. The kernel does not hear of it, and goes on to show the time of before at
 * `mounted`, until it asks again: after a change of names, when a process lists what is around, or when it has forgotten.
 * Call it before the mount is taken away. `since`: when the upper directory was made.
 */
export function timesSeen(upper: ByteString, mounted: ByteString, since: bigint, { signal }: Cancel): SeenTimes {
  const seen = new Map<ByteString, bigint>();
  const walk = (dir: ByteString): void => {
    signal.throwIfAborted();
    const below = mtimeOf(under(mounted, dir));
    if (mtimeOf(under(upper, dir)) >= since && below < since) seen.set(dir, below);
    for (const one of readdirSync(toFsPath(under(upper, dir)), { withFileTypes: true, encoding: 'latin1' })) {
      if (one.isDirectory()) walk(under(dir, one.name));
    }
  };
  walk('');
  return seen;
}

export interface SettleOptions extends Cancel {
  readonly seen: SeenTimes;
  /** When the upper directory was made, in nanoseconds since 1970. */
  readonly since: bigint;
}

/** Where every step makes and removes names, for what it mounts: a new time there is one that overlayfs leaves as well. */
const TOUCHED: readonly ByteString[] = ['', 'etc'];

/**
 * Makes the upper directory that fuse-overlayfs leaves say what overlayfs would have left, as far as it can be told; `lower`
 * shows what lies below it. Takes off its notes as well, by which it would take files for one that have been parted.
 *
 * Directories get back setuid and setgid, and the times that were seen. One whose new time was seen gets back the time that it has
 * below if all that it has are copies of what is below: that it had another name for a while cannot be told. Nor can a
 * link that was copied up be told from one that a process made anew with the same target: both get back their time.
 */
export function settleUpper(upper: ByteString, lower: LowerView, { seen, since, signal }: SettleOptions): void {
  const walk = (dir: ByteString): void => {
    signal.throwIfAborted();
    let copied = 0;
    let made = isOpaque(under(upper, dir), 'names') ? 1 : 0;
    for (const name of readdirSync(toFsPath(under(upper, dir)), 'latin1')) {
      const path = under(dir, name);
      const below = name.startsWith(WHITEOUT) ? undefined : lower.lstat(path);
      if (settle(path, below)) copied++;
      else made++;
    }
    settleTime(dir, copied > 0 && made === 0);
  };
  /** True where it is a copy of what is below. */
  const settle = (path: ByteString, below: Omit<TreeEntry, 'inode'> | undefined): boolean => {
    const full = under(upper, path);
    const stat = lstatSync(toFsPath(full), { bigint: true });
    if (stat.isFile()) {
      const isCopy = lgetxattr(full, ORIGIN) !== undefined && below?.type === 'file';
      lremovexattr(full, ORIGIN);
      return isCopy;
    }
    if (stat.isSymbolicLink() && below?.type === 'symlink') {
      if (stat.mtimeNs >= since) settleLink(full, below);
      return true;
    }
    if (!stat.isDirectory()) return false;
    walk(path);
    if (below?.type !== 'dir' || isOpaque(full, 'names')) return false;
    settleMode(full, Number(stat.mode & 0o7777n), below.mode);
    return true;
  };
  const settleTime = (dir: ByteString, isOnlyCopies: boolean): void => {
    const full = under(upper, dir);
    const time = seen.get(dir);
    if (time !== undefined) return lutimesNs(full, time, time);
    if (!isOnlyCopies || TOUCHED.includes(dir) || mtimeOf(full) < since) return;
    const below = lower.lstat(dir);
    if (below?.type === 'dir') lutimes(full, below.mtime, below.mtimeNanoseconds);
  };
  walk('');
}

/** It copies up directories without the bits that mkdir(2) does not take: setuid and setgid. */
function settleMode(full: ByteString, mode: number, below: number): void {
  if (mode !== below && mode === (below & 0o1777)) chmodSync(toFsPath(full), below);
}

function settleLink(full: ByteString, below: Omit<TreeEntry, 'inode'>): void {
  if (readlinkSync(toFsPath(full), 'latin1') === below.linkname) lutimes(full, below.mtime, below.mtimeNanoseconds);
}

function mtimeOf(full: ByteString): bigint {
  return lstatSync(toFsPath(full), { bigint: true }).mtimeNs;
}

function under(dir: ByteString, path: ByteString): ByteString {
  return dir === '' ? path : path === '' ? dir : `${dir}/${path}`;
}
