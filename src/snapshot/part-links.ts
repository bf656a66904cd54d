import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, renameSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { hasCode } from '../base/errors.js';
import { lutimesNs } from '../base/linux/inode.js';
import { copyEntry } from './copy-tree.js';
import { readTreeEntry } from './tree-entry.js';

/** No layer has a name that begins so: layers use it for markers. A process may make one, so the rest is by chance. */
const ASIDE = '.wh..aside-';

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

/**
 * Gives files of their own to `root` and the names below it that share a file with a name elsewhere. Leaves out what lies so deep that
 * the kernel takes no path of it.
 */
export function partFromElsewhere(root: ByteString): void {
  const linked = new Map<string, { readonly nlink: bigint; readonly names: ByteString[] }>();
  const walk = (full: ByteString): void => {
    if (full.length >= PATH_MAX) return;
    const stat = lstatSync(toFsPath(full), { bigint: true });
    if (stat.isDirectory()) {
      for (const name of readdirSync(toFsPath(full), 'latin1')) walk(`${full}/${name}`);
    } else if (stat.nlink > 1n) {
      const inode = `${stat.dev}:${stat.ino}`;
      const { names } = linked.get(inode) ?? { names: [] };
      linked.set(inode, { nlink: stat.nlink, names: [...names, full] });
    }
  };
  walk(root);
  for (const { nlink, names } of linked.values()) if (nlink > BigInt(names.length)) names.forEach(partName);
}

/** Bytes of a path that the kernel takes, with the one that ends it. */
const PATH_MAX = 4096;

/** Does so for one of several names of a file, given as an absolute path. */
export function partName(full: ByteString): void {
  const entry = readTreeEntry(full, '');
  if (!entry) return; // a socket
  const dir = full.slice(0, full.lastIndexOf('/'));
  const { atimeNs, mtimeNs } = lstatSync(toFsPath(dir), { bigint: true });
  const aside = `${dir}/${ASIDE}${randomBytes(6).toString('hex')}`;
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
