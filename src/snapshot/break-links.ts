import { lstatSync, renameSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { hasCode } from '../base/errors.js';
import { lutimesNs } from '../base/linux/inode.js';
import { copyEntry } from './copy-tree.js';
import type { Inventory } from './inventory.js';
import { readTreeEntry } from './tree-entry.js';

/** No tree has a name that begins so: layers use it for markers. */
const ASIDE = '.wh..aside';

/**
 * Gives every name of the tree a file of its own, where several names share one, and notes so in its inventory. A file
 * that is changed under one name then keeps what it was under the others, as in an overlay, where a lower file leaves its
 * other names when it is written to. Content, owners, modes, times and attributes stay, also the times of the directories;
 * blocks are shared where the file system can.
 *
 * What differs from an overlay: a process sees files with one name each, where an overlay shows how many they have below.
 * So a step that copies or moves a directory and means to keep which names are one file (`cp -a`, `mv`, `tar`) writes
 * separate files of the same content. A device that may not be made again keeps its names.
 */
export function breakLinks(root: ByteString, inventory: Inventory, { signal }: Cancel): void {
  for (const names of inventory.linked()) {
    signal.throwIfAborted();
    for (const path of names.slice(1)) giveOwnFile(root, path);
    for (const path of names) inventory.note(root, path, lstatSync(toFsPath(`${root}/${path}`), { bigint: true }));
  }
}

function giveOwnFile(root: ByteString, path: ByteString): void {
  const full = `${root}/${path}`;
  const dir = full.slice(0, full.lastIndexOf('/'));
  const entry = readTreeEntry(full, path);
  if (!entry) return; // a socket
  const { atimeNs, mtimeNs } = lstatSync(toFsPath(dir), { bigint: true });
  const aside = `${dir}/${ASIDE}`;
  try {
    copyEntry(entry, full, aside);
    renameSync(toFsPath(aside), toFsPath(full));
  } catch (error) {
    const isDevice = entry.type === 'char' || entry.type === 'block';
    if (!isDevice || !hasCode(error, 'EPERM')) throw error;
  }
  lutimesNs(dir, atimeNs, mtimeNs);
}
