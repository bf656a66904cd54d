import { mkdirSync, rmSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../base/errors.js';
import { lockPath, tryLockPath, type PathLock } from '../base/path-lock.js';

/** A lock on a file, held until `release` or the end of the process, however it ends. */
export type FileLock = PathLock;

/**
 * Takes the lock, or gives undefined when someone else has it. The file is made if absent and stays; `existing` throws
 * ENOENT instead. Only its owner may open it: whoever can read a file can lock it. Of a file that others may remove, it has
 * to be asked afterwards whether it is still there (`stillHas`).
 */
export function tryLock(file: string, mode?: 'existing'): FileLock | undefined {
  if (mode === undefined) mkdirSync(path.dirname(file), { recursive: true });
  return tryLockPath(file, mode === 'existing' ? 'existing-file' : 'file');
}

/** The lock of a file that nobody has locked; undefined also when there is no such file. */
export function lockPresent(file: string): FileLock | undefined {
  try {
    const lock = tryLock(file, 'existing');
    if (lock === undefined || lock.stillHas(file)) return lock;
    lock.release();
    return undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Runs `work` under the lock; waits for it as long as `signal` allows, and throws its reason. The time of the file is that
 * of its last use, for those who ask what was not used for long; they may remove it while they have the lock.
 */
export async function withLock<T>(file: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  mkdirSync(path.dirname(file), { recursive: true });
  const lock = await lockStanding(file, signal);
  try {
    noteUse(file);
    return await work();
  } finally {
    lock.release();
  }
}

/** The same for a lock whose name nobody needs afterwards: the file goes with the lock. */
export async function withPassingLock<T>(file: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return await withLock(file, signal, async () => {
    try {
      return await work();
    } finally {
      rmSync(file, { force: true });
    }
  });
}

/** Notes on a lock file that what it guards is used now. */
export function noteUse(file: string): void {
  const now = new Date();
  utimesSync(file, now, now);
}

async function lockStanding(file: string, signal: AbortSignal): Promise<FileLock> {
  for (;;) {
    const lock = await lockPath(file, 'file', 'exclusive', { signal });
    if (lock.stillHas(file)) return lock;
    lock.release();
  }
}
