import { lstatSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import type { Inventory } from './inventory.js';
import { partName } from './part-links.js';

/**
 * Gives every name of the tree a file of its own, where several names are one file (`partLinks`), and notes so in its
 * inventory. A file that is changed under one name then keeps what it was under the others, as in an overlay, where a
 * lower file leaves its other names when it is written to.
 *
 * What differs from an overlay: a process sees files with one name each, where an overlay shows how many they have below.
 * So a step that copies or moves a directory and means to keep which names are one file (`cp -a`, `mv`, `tar`) writes
 * separate files of the same content.
 */
export function breakLinks(root: ByteString, inventory: Inventory, { signal }: Cancel): void {
  for (const names of inventory.linked()) {
    signal.throwIfAborted();
    for (const path of names.slice(1)) partName(`${root}/${path}`);
    const touched = new Set([...names, ...names.map(dirOf).filter((dir) => dir !== '')]);
    for (const path of touched) inventory.note(root, path, lstatSync(toFsPath(`${root}/${path}`), { bigint: true }));
  }
}

function dirOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
