import { constants } from 'node:os';
import { lastError, systemError } from './errno.js';
import { libc } from './libc.js';

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Offset of the first data at or after `offset`; undefined when only a hole is left. Moves the file's position. */
export function seekData(fd: number, offset: number): number | undefined {
  return seek(fd, offset, SEEK_DATA);
}

/** Offset of the first hole at or after `offset` (the end of a file counts as one); undefined past the end. Moves the position. */
export function seekHole(fd: number, offset: number): number | undefined {
  return seek(fd, offset, SEEK_HOLE);
}

function seek(fd: number, offset: number, whence: number): number | undefined {
  const found = Number(libc().lseek(fd, offset, whence));
  if (found >= 0) return found;
  const errno = libc().errno();
  if (errno === constants.errno.ENXIO) return undefined;
  throw systemError(errno, 'lseek');
}

/** Moves the position of an open file to `offset` bytes from its start. */
export function seekTo(fd: number, offset: number): void {
  if (Number(libc().lseek(fd, offset, 0)) < 0) throw lastError('lseek');
}
