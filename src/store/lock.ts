import { closeSync, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { flock } from '../base/linux/lock.js';

/** A lock on a file, held until `release` or the end of the process, however it ends. */
export interface FileLock {
  /** Whether the locked file is the one that stands under this name. */
  stillHas(file: string): boolean;
  release(): void;
}

/**
 * Takes the lock, or gives undefined when someone else has it. The file is made if absent and stays; `existing` throws
 * ENOENT instead. Only its owner may open it: whoever can read a file can lock it.
 */
export function tryLock(file: string, mode?: 'existing'): FileLock | undefined {
  if (mode === undefined) mkdirSync(path.dirname(file), { recursive: true });
  const fd = openSync(file, mode === 'existing' ? 'r+' : 'a', 0o600);
  if (!flock(fd, 'exclusive')) {
    closeSync(fd);
    return undefined;
  }
  const stillHas = (name: string): boolean => {
    const [held, there] = [fstatSync(fd), statSync(name, { throwIfNoEntry: false })];
    return held.ino === there?.ino && held.dev === there.dev;
  };
  return { stillHas, release: () => closeSync(fd) };
}

/** Runs `work` under the lock; waits for it as long as `signal` allows, and throws its reason. */
export async function withLock<T>(file: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  let lock = tryLock(file);
  for (let wait = 1; !lock; wait = Math.min(wait * 2, 50)) {
    await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
    lock = tryLock(file);
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}
