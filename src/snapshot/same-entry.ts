import { closeSync, openSync, readSync } from 'node:fs';
import { type ByteString, toFsPath } from '../base/bytes.js';
import type { LowerView, TreeEntry } from './types.js';

export const CAPABILITY = 'security.capability';

/**
 * Whether an object of an upper tree is what was below, judged as BuildKit's overlay differ does: type, mode, owner,
 * device numbers and file capability; and for all but directories size and mtime. Times without a part of a second may
 * have been cut by an archive, so then the content decides. Other extended attributes do not count.
 */
export async function sameEntry(
  below: Omit<TreeEntry, 'inode'>,
  entry: TreeEntry,
  lower: LowerView,
  fullPath: ByteString,
): Promise<boolean> {
  const judged = compareEntries(below, entry);
  return judged === 'by content' ? await sameContent(lower.open(entry.path), fullPath) : judged === 'same';
}

/** The same as far as it can be told without the content of a file, for which the caller then has to ask. */
export function compareEntries(below: Omit<TreeEntry, 'inode'>, entry: TreeEntry): 'same' | 'different' | 'by content' {
  if (below.type !== entry.type || below.mode !== entry.mode) return 'different';
  if (below.uid !== entry.uid || below.gid !== entry.gid) return 'different';
  if (below.devMajor !== entry.devMajor || below.devMinor !== entry.devMinor) return 'different';
  if (!sameBytes(below.xattrs?.get(CAPABILITY), entry.xattrs?.get(CAPABILITY))) return 'different';
  if (entry.type === 'dir') return 'same';
  if (below.size !== entry.size || below.mtime !== entry.mtime) return 'different';
  if (below.linkname !== entry.linkname) return 'different';
  const exact = below.mtimeNanoseconds !== undefined && entry.mtimeNanoseconds !== undefined;
  if (exact && below.mtimeNanoseconds !== entry.mtimeNanoseconds) return 'different';
  if (exact && entry.mtimeNanoseconds !== 0) return 'same';
  return entry.type === 'file' && entry.size > 0 ? 'by content' : 'same';
}

async function sameContent(below: AsyncIterable<Buffer>, fullPath: ByteString): Promise<boolean> {
  const fd = openSync(toFsPath(fullPath), 'r');
  try {
    let buffer = Buffer.alloc(0);
    for await (const chunk of below) {
      if (buffer.length < chunk.length) buffer = Buffer.allocUnsafe(chunk.length);
      let filled = 0;
      while (filled < chunk.length) {
        const n = readSync(fd, buffer, filled, chunk.length - filled, null);
        if (n === 0) return false;
        filled += n;
      }
      if (buffer.compare(chunk, 0, chunk.length, 0, filled) !== 0) return false;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
