import { closeSync, constants as open, fstatSync, openSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import type { LockedKind, LockMode, PathLock } from '../path-lock.js';
import { lastError, systemError } from './errno.js';
import { libc } from './libc.js';

const LOCK: Readonly<Record<LockMode, number>> = { shared: 1, exclusive: 2 };
const LOCK_NB = 4;
const LOCK_UN = 8;

const FLAGS: Readonly<Record<LockedKind, number>> = {
  file: open.O_WRONLY | open.O_APPEND | open.O_CREAT,
  'existing-file': open.O_RDWR,
  directory: open.O_RDONLY | open.O_DIRECTORY,
};

/**
 * Takes an flock(2) lock on an open file, or says that somebody else holds it. The lock belongs to the open file and
 * goes when its last descriptor is closed, so when the process dies.
 */
export function flock(fd: number, mode: LockMode): boolean {
  if (libc().flock(fd, LOCK[mode] | LOCK_NB) === 0) return true;
  const errno = libc().errno();
  if (errno === constants.errno.EWOULDBLOCK) return false;
  throw systemError(errno, 'flock');
}

export function unlockFile(fd: number): void {
  if (libc().flock(fd, LOCK_UN) !== 0) throw lastError('flock');
}

/** `tryLockPath` by flock(2). */
export function tryFlockPath(path: string, kind: LockedKind, mode: LockMode): PathLock | undefined {
  const fd = openSync(path, FLAGS[kind], 0o600);
  let isHeld = false;
  try {
    isHeld = flock(fd, mode);
  } finally {
    if (!isHeld) closeSync(fd);
  }
  if (!isHeld) return undefined;
  return {
    stillHas: (name) => {
      const [held, there] = [fstatSync(fd), statSync(name, { throwIfNoEntry: false })];
      return held.ino === there?.ino && held.dev === there.dev;
    },
    release: () => closeSync(fd),
  };
}
