import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancel } from './abort.js';
import { tryFlockPath } from './linux/flock.js';
import { isLinux } from './platform.js';
import { sweepClaims, tryClaimPath } from './portable/claim-lock.js';

export type LockMode = 'shared' | 'exclusive';

/** What is locked: a file that is made if absent and that only its owner may open, one that must be there, a directory. */
export type LockedKind = 'file' | 'existing-file' | 'directory';

/** A lock on what lies at a path, held until `release` or the end of the process, however it ends. */
export interface PathLock {
  /** Whether what was locked is what stands under this name. */
  stillHas(name: string): boolean;
  release(): void;
}

/**
 * Takes the lock, or gives undefined when someone else has it, in this process or another. Throws what opening the path
 * throws, and the system's error where the file system has no locks. Linux has a lock in the kernel; elsewhere a claim
 * beside the file counts for as long as its process lives (`portable/claim-lock.ts`).
 */
export const tryLockPath: (path: string, kind: LockedKind, mode?: LockMode) => PathLock | undefined = (
  path,
  kind,
  mode = 'exclusive',
) => (isLinux ? tryFlockPath : tryClaimPath)(path, kind, mode);

/** Removes what killed processes have left of their locks on files of a directory, where a lock leaves anything. */
export function sweepLocks(dir: string): void {
  if (!isLinux) sweepClaims(dir);
}

/**
 * Waits for the lock as long as `signal` allows, and throws its reason. It asks again at growing intervals up to 50 ms: a
 * call that blocks in the kernel could not be aborted, and four of them would fill the thread pool that the lock's holder
 * may need to get done.
 */
export async function lockPath(path: string, kind: LockedKind, mode: LockMode, { signal }: Cancel): Promise<PathLock> {
  for (let delay = 1; ; delay = Math.min(delay * 2, 50)) {
    signal.throwIfAborted();
    const lock = tryLockPath(path, kind, mode);
    if (lock) return lock;
    // Not all at the same moment: two claims that meet both give way.
    const wait = delay * (0.5 + Math.random());
    await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
