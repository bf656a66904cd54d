import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancel } from '../abort.js';
import { lastError, systemError } from './errno.js';
import { libc } from './libc.js';

const LOCK = { shared: 1, exclusive: 2 } as const;
const LOCK_NB = 4;
const LOCK_UN = 8;

export type LockMode = keyof typeof LOCK;

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

/**
 * Waits for an flock(2) lock. It asks again at growing intervals up to 50 ms: a call that blocks in the kernel could
 * not be aborted, and four of them would fill the thread pool that the lock's holder may need to get done.
 */
export async function waitFlock(fd: number, mode: LockMode, { signal }: Cancel): Promise<void> {
  for (let delay = 1; ; delay = Math.min(delay * 2, 50)) {
    signal.throwIfAborted();
    if (flock(fd, mode)) return;
    await sleep(delay, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

export function unlockFile(fd: number): void {
  if (libc().flock(fd, LOCK_UN) !== 0) throw lastError('flock');
}
