import type { ByteString } from '../../base/bytes.js';
import { majorOf, minorOf } from '../../base/inode.js';
import { isWindows } from '../../base/platform.js';
import { DEV, INO, MODE, MTIME, NLINK, RDEV, SIZE } from '../../base/stat-row.js';
import type { ViewEntry } from '../../layer/ref-view.js';

const S_IFMT = 0o170000;

const TYPES: Readonly<Record<number, ViewEntry['type']>> = {
  0o040000: 'dir',
  0o120000: 'symlink',
  0o010000: 'fifo',
  0o020000: 'char',
  0o060000: 'block',
};

/** What a file of this machine is in a build context: owners are 0:0, and there are no extended attributes. */
export function entryOf(path: ByteString, rows: Float64Array, row: number, target: ByteString | undefined): ViewEntry {
  const mode = rows[row + MODE]!;
  const type = TYPES[mode & S_IFMT] ?? 'file'; // sockets are files of no bytes
  const entry: { -readonly [K in keyof ViewEntry]: ViewEntry[K] } = {
    path,
    type,
    mode: type === 'symlink' ? 0o777 : modeOf(mode),
    uid: 0,
    gid: 0,
    size: sizeOf(rows, row),
    mtime: Math.floor(rows[row + MTIME]! / 1000),
  };
  if (target !== undefined) entry.linkname = target;
  if (type === 'char' || type === 'block') {
    entry.devMajor = majorOf(rows[row + RDEV]!);
    entry.devMinor = minorOf(rows[row + RDEV]!);
  }
  // Windows' numbers of files do not fit into a number of JavaScript; buildx sends no hard links from there either.
  if (rows[row + NLINK]! > 1 && type !== 'dir' && !isWindows) entry.inode = `${rows[row + DEV]}:${rows[row + INO]}`;
  return entry;
}

/** Bytes of a regular file; 0 of anything else. */
export function sizeOf(rows: Float64Array, row: number): number {
  return (rows[row + MODE]! & S_IFMT) === 0o100000 ? rows[row + SIZE]! : 0;
}

/** On Windows, which has no modes, as buildx sends them: everything can be executed, nothing written by others. */
function modeOf(mode: number): number {
  return isWindows ? (mode | 0o111) & 0o755 : mode & 0o7777;
}
