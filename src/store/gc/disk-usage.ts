import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { type ByteString, fromBytes, fromText, toFsPath } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';

const BLOCK = 512;

/**
 * Bytes that a directory takes on the disk with all that is in it, a file of many names counted once. What goes meanwhile is
 * not counted, nor what may not be looked into: trees can belong to subordinate ids.
 */
export function diskUsage(dir: string): number {
  const seen = new Set<string>();
  let total = 0;
  const walk = (at: ByteString): void => {
    const stats = look(at);
    if (!stats) return;
    if (stats.isDirectory()) {
      for (const name of below(at)) walk(`${at}/${name}`);
    } else if (stats.nlink > 1) {
      const inode = `${stats.dev} ${stats.ino}`;
      if (seen.has(inode)) return;
      seen.add(inode);
    }
    total += stats.blocks * BLOCK;
  };
  walk(fromText(dir));
  return total;
}

function look(at: ByteString): Stats | undefined {
  try {
    return lstatSync(toFsPath(at), { throwIfNoEntry: false });
  } catch (error) {
    if (hasCode(error, 'EACCES', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}

function below(dir: ByteString): readonly ByteString[] {
  try {
    return readdirSync(toFsPath(dir), { encoding: 'buffer' }).map(fromBytes);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'ENAMETOOLONG')) return [];
    throw error;
  }
}
