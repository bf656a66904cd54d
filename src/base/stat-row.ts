import type { Stats } from 'node:fs';

/** Where the numbers of one file stand in its row of a table: those that `Stats` of Node.js has under these names. */
export const MODE = 0;
export const DEV = 1;
export const INO = 2;
export const SIZE = 3;
/** Milliseconds since 1970. */
export const MTIME = 4;
export const CTIME = 5;
export const NLINK = 6;
export const RDEV = 7;
/** Numbers a row. A table of them takes a tenth of the room of as many objects. */
export const STAT_ROW = 8;

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;

/** Fills the row that begins at `at`. */
export function fillRow(rows: Float64Array, at: number, stats: Stats): void {
  rows[at + MODE] = stats.mode;
  rows[at + DEV] = stats.dev;
  rows[at + INO] = stats.ino;
  rows[at + SIZE] = stats.size;
  rows[at + MTIME] = stats.mtimeMs;
  rows[at + CTIME] = stats.ctimeMs;
  rows[at + NLINK] = stats.nlink;
  rows[at + RDEV] = stats.rdev;
}

export function isFile(mode: number): boolean {
  return (mode & S_IFMT) === S_IFREG;
}

export function isDirectory(mode: number): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

export function isSymlink(mode: number): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}
