import { chmodSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { lutimes } from '../base/linux/inode.js';
import { lgetxattr, lremovexattr } from '../base/linux/xattr.js';
import { isOpaque, WHITEOUT } from './tree-entry.js';
import type { LowerView, TreeEntry } from './types.js';

/** fuse-overlayfs notes on a regular file that it copied up where it had it from. */
const ORIGIN = 'user.fuseoverlayfs.origin';

/**
 * Gives the upper directory that fuse-overlayfs leaves the times that overlayfs would have left, and takes off its notes,
 * by which it would take files for one that have been parted.
 *
 * To copy up a file it moves it into its directory, which gets a new time by that; and a link that it copies up it makes
 * anew. So a directory of below whose names are all copied-up ones, and a link that is below with the same target, get
 * back the time they have below, if theirs is of `since` or later. It cannot be seen whether a process gave them the present
 * time on purpose: then they get back the older one as well. Directories get back setuid and setgid.
 */
export function settleUpper(upper: ByteString, lower: LowerView, since: bigint, { signal }: Cancel): void {
  const walk = (dir: ByteString): void => {
    signal.throwIfAborted();
    const full = under(upper, dir);
    const below = lower.lstat(dir);
    const { mtimeNs } = lstatSync(toFsPath(full), { bigint: true });
    let copied = 0;
    let made = isOpaque(full, 'names') ? 1 : 0;
    for (const name of readdirSync(toFsPath(full), 'latin1')) {
      const path = dir === '' ? name : `${dir}/${name}`;
      const stat = lstatSync(toFsPath(under(upper, path)));
      const here = name.startsWith(WHITEOUT) ? undefined : lower.lstat(path);
      if (stat.isDirectory()) {
        walk(path);
        if (here?.type === 'dir' && !isOpaque(under(upper, path), 'names')) {
          settleMode(under(upper, path), stat.mode & 0o7777, here.mode);
          copied++;
        } else made++;
      } else if (stat.isFile() && lgetxattr(under(upper, path), ORIGIN)) {
        lremovexattr(under(upper, path), ORIGIN);
        if (here?.type === 'file') copied++;
        else made++;
      } else if (here?.type === 'symlink' && stat.isSymbolicLink()) {
        settleLink(under(upper, path), here, since);
        copied++;
      } else made++;
    }
    if (below?.type === 'dir' && copied > 0 && made === 0 && mtimeNs >= since) {
      lutimes(full, below.mtime, below.mtimeNanoseconds);
    }
  };
  walk('');
}

/** It copies up directories without the bits that mkdir(2) does not take: setuid and setgid. */
function settleMode(full: ByteString, mode: number, below: number): void {
  if (mode !== below && mode === (below & 0o1777)) chmodSync(toFsPath(full), below);
}

function settleLink(full: ByteString, below: Omit<TreeEntry, 'inode'>, since: bigint): void {
  const { mtimeNs } = lstatSync(toFsPath(full), { bigint: true });
  if (mtimeNs < since || readlinkSync(toFsPath(full), 'latin1') !== below.linkname) return;
  lutimes(full, below.mtime, below.mtimeNanoseconds);
}

function under(root: ByteString, path: ByteString): ByteString {
  return path === '' ? root : `${root}/${path}`;
}
