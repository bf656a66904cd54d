import type { Stats } from 'node:fs';
import type { ByteString } from '../../base/bytes.js';
import { majorOf, minorOf } from '../../base/inode.js';
import { isWindows } from '../../base/platform.js';
import type { ViewEntry } from '../../layer/ref-view.js';

/** What a file of this machine is in a build context: owners are 0:0, and there are no extended attributes. */
export function entryOf(at: ByteString, stats: Stats, target: ByteString | undefined): ViewEntry {
  const type = typeOf(stats);
  return {
    path: at,
    type,
    mode: type === 'symlink' ? 0o777 : modeOf(stats.mode),
    uid: 0,
    gid: 0,
    size: stats.isFile() ? stats.size : 0,
    mtime: Math.floor(stats.mtimeMs / 1000),
    ...(target !== undefined && { linkname: target }),
    ...((type === 'char' || type === 'block') && {
      devMajor: majorOf(stats.rdev),
      devMinor: minorOf(stats.rdev),
    }),
    // Windows' numbers of files do not fit into a number of JavaScript; buildx sends no hard links from there either.
    ...(stats.nlink > 1 && type !== 'dir' && !isWindows && { inode: `${stats.dev}:${stats.ino}` }),
  };
}

/** On Windows, which has no modes, as buildx sends them: everything can be executed, nothing written by others. */
function modeOf(mode: number): number {
  return isWindows ? (mode | 0o111) & 0o755 : mode & 0o7777;
}

/** Sockets are files of no bytes. */
function typeOf(stats: Stats): ViewEntry['type'] {
  if (stats.isDirectory()) return 'dir';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'char';
  if (stats.isBlockDevice()) return 'block';
  return 'file';
}
