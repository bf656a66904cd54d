import { chmodSync, constants, copyFileSync, lchownSync, linkSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { lutimes, mkfifo, mknod } from '../base/linux/inode.js';
import { recordedOwner, recordOwner } from '../base/linux/recorded-owner.js';
import { lsetxattr } from '../base/linux/xattr.js';
import { readTreeEntry } from './tree-entry.js';
import type { TreeEntry } from './types.js';

/**
 * Copies what lies in the directory `from` to the existing directory `to`, with owners (also recorded ones), modes, times, attributes, hard
 * links and devices; the directory itself takes those of `from`. Follows no link. Blocks are shared where the file system can.
 */
export function copyTree(from: ByteString, to: ByteString, { signal }: Cancel): void {
  const names = new Map<number | string, ByteString>();
  const copy = (path: ByteString): void => {
    const source = `${from}${path}`;
    const target = `${to}${path}`;
    const entry = readTreeEntry(source, path);
    if (!entry) return; // a socket
    const first = entry.inode === undefined ? undefined : names.get(entry.inode);
    if (first !== undefined) {
      linkSync(toFsPath(first), toFsPath(target));
      return;
    }
    if (entry.inode !== undefined) names.set(entry.inode, target);
    if (entry.type !== 'dir') return copyEntry(entry, source, target);
    signal.throwIfAborted();
    if (path !== '') mkdirSync(toFsPath(target));
    for (const name of readdirSync(toFsPath(source), 'latin1')) copy(`${path}/${name}`);
    applyMetadata(entry, source, target);
  };
  copy('');
}

/** Copies one object that is no directory, as `copyTree` does, to a name that is free. */
export function copyEntry(entry: TreeEntry, source: ByteString, target: ByteString): void {
  create(entry, source, target);
  applyMetadata(entry, source, target);
}

function create(entry: TreeEntry, source: ByteString, target: ByteString): void {
  switch (entry.type) {
    case 'file':
      copyFileSync(toFsPath(source), toFsPath(target), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      return;
    case 'symlink':
      symlinkSync(toFsPath(entry.linkname ?? ''), toFsPath(target));
      return;
    case 'fifo':
      mkfifo(target, 0o600);
      return;
    case 'char':
    case 'block':
      mknod(target, entry.type, 0o600, entry.devMajor, entry.devMinor);
      return;
    case 'dir':
      throw new Error('a directory is made by its caller');
  }
}

/** Owner first: changing it clears setuid bits and file capabilities. Times last: everything else moves them. */
function applyMetadata(entry: TreeEntry, source: ByteString, target: ByteString): void {
  lchownSync(toFsPath(target), entry.uid, entry.gid);
  if (entry.type !== 'symlink') chmodSync(toFsPath(target), entry.mode);
  for (const [name, value] of entry.xattrs ?? []) lsetxattr(target, name, value);
  const owner = entry.type === 'file' || entry.type === 'dir' ? recordedOwner(source) : undefined;
  if (owner) recordOwner(target, owner);
  lutimes(target, entry.mtime, entry.mtimeNanoseconds);
}
