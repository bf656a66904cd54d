import { lstatSync, readdirSync, renameSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { hasCode } from '../base/errors.js';
import { lutimesNs } from '../base/linux/inode.js';
import { copyEntry } from './copy-tree.js';
import { readTreeEntry } from './tree-entry.js';

/** No tree has a name that begins so: layers use it for markers. */
const ASIDE = '.wh..aside';

/**
 * Gives every name below `root` a file of its own, where several names are one file; their content, owners, modes, times
 * and attributes stay, and the times of the directories. Where a file system is made of layers a lower file leaves its other names
 * when it is written to; with this it does so also where the kernel is not the one who sees to it. A device that may not be
 * made again keeps its names.
 */
export function partLinks(root: ByteString, { signal }: Cancel): void {
  const seen = new Set<string>();
  const walk = (dir: ByteString): void => {
    signal.throwIfAborted();
    for (const name of readdirSync(toFsPath(dir), 'latin1')) {
      const full = `${dir}/${name}`;
      const stat = lstatSync(toFsPath(full), { bigint: true });
      if (stat.isDirectory()) walk(full);
      else if (stat.nlink > 1n) {
        const inode = `${stat.dev}:${stat.ino}`;
        if (seen.has(inode)) partName(full);
        seen.add(inode);
      }
    }
  };
  walk(root);
}

/** Does so for one of several names of a file, given as an absolute path. */
export function partName(full: ByteString): void {
  const entry = readTreeEntry(full, '');
  if (!entry) return; // a socket
  const dir = full.slice(0, full.lastIndexOf('/'));
  const { atimeNs, mtimeNs } = lstatSync(toFsPath(dir), { bigint: true });
  const aside = `${dir}/${ASIDE}`;
  try {
    copyEntry(entry, full, aside);
  } catch (error) {
    const isDevice = entry.type === 'char' || entry.type === 'block';
    if (!isDevice || !hasCode(error, 'EPERM')) throw error;
    return;
  }
  renameSync(toFsPath(aside), toFsPath(full));
  lutimesNs(dir, atimeNs, mtimeNs);
}
