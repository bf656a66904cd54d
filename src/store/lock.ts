import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { lockPath, tryLockPath, type PathLock } from '../base/path-lock.js';

/** A lock on a file, held until `release` or the end of the process, however it ends. */
export type FileLock = PathLock;

/**
 * Takes the lock, or gives undefined when someone else has it. The file is made if absent and stays; `existing` throws
 * ENOENT instead. Only its owner may open it: whoever can read a file can lock it.
 */
export function tryLock(file: string, mode?: 'existing'): FileLock | undefined {
  if (mode === undefined) mkdirSync(path.dirname(file), { recursive: true });
  return tryLockPath(file, mode === 'existing' ? 'existing-file' : 'file');
}

/** Runs `work` under the lock; waits for it as long as `signal` allows, and throws its reason. */
export async function withLock<T>(file: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  mkdirSync(path.dirname(file), { recursive: true });
  const lock = await lockPath(file, 'file', 'exclusive', { signal });
  try {
    return await work();
  } finally {
    lock.release();
  }
}
