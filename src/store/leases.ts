import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Cancel } from '../base/abort.js';
import { hasCode } from '../base/errors.js';
import { sweepLocks } from '../base/path-lock.js';
import { LeaseFile, type HeldKind, type Holding } from './lease-file.js';
import { lockPresent, tryLock, type FileLock } from './lock.js';
import type { StorePaths } from './paths.js';

/** Begins the first line of a lease: when the job began, in milliseconds since 1970. */
export const BEGAN = 'began';

/**
 * What a job is using, written before it is used: a locked file with a line for each thing held. When the job dies its
 * lock is gone, which makes the lease void.
 */
export class Lease implements Holding {
  readonly #paths: StorePaths;
  readonly #file: LeaseFile;
  readonly #lock: FileLock;

  private constructor(paths: StorePaths, file: LeaseFile, lock: FileLock) {
    this.#paths = paths;
    this.#file = file;
    this.#lock = lock;
  }

  /** `signal`: of the job; whoever waits to hold something waits no longer than that. */
  static take(paths: StorePaths, opts: Cancel): Lease {
    for (const dir of [paths.leases, paths.locks]) mkdirSync(dir, { recursive: true });
    for (;;) {
      const id = randomBytes(6).toString('hex');
      const lock = tryLock(paths.lease(id));
      // A sweeper may take a new file's lock between its making and ours, and remove it: then it is not ours to use.
      if (lock?.stillHas(paths.lease(id))) {
        noteBegin(paths.lease(id));
        return new Lease(paths, new LeaseFile(paths, id, opts), lock);
      }
      lock?.release();
    }
  }

  get leaseId(): string {
    return this.#file.leaseId;
  }

  async hold(kind: HeldKind, ...names: readonly string[]): Promise<void> {
    await this.#file.hold(kind, ...names);
  }

  holdNew(kind: HeldKind, name: string): void {
    this.#file.holdNew(kind, name);
  }

  /** Gives everything back; the job's temporary files go. */
  async release(): Promise<void> {
    const temp = this.#paths.temp(this.leaseId);
    if (existsSync(temp)) await rm(temp, { recursive: true, force: true });
    if (!existsSync(this.#paths.work(this.leaseId))) endLease(this.#paths, this.leaseId);
    this.#file.close();
    this.#lock.release();
  }
}

/**
 * Removes what dead jobs left. Temporary files are removed here; unfinished trees by `removeWork`, given only in a
 * worker, which alone may remove files of other users. A lease stays until its unfinished trees are gone.
 */
export async function sweepDeadLeases(
  paths: StorePaths,
  removeWork?: (dir: string) => void | Promise<void>,
): Promise<void> {
  for (const id of leaseIds(paths)) {
    const lock = lockPresent(paths.lease(id));
    if (!lock) continue;
    try {
      await rm(paths.temp(id), { recursive: true, force: true });
      const work = paths.work(id);
      if (existsSync(work)) await removeWork?.(work);
      if (!existsSync(work)) endLease(paths, id);
    } catch {
      continue; // what cannot be removed now must not stop this job; the lease stays, so the next one tries again
    } finally {
      lock.release();
    }
  }
  sweepLocks(paths.leases);
}

/** On a full disk, which a prune has to be able to work on, it is left out. */
function noteBegin(file: string): void {
  try {
    writeFileSync(file, `${BEGAN} ${Date.now()}\n`);
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    writeFileSync(file, ''); // without a part of it
  }
}

/**
 * Removes a lease. If garbage is being collected, what it held is held on until that is done: it may have been made, and what
 * leads to it, after the collector had looked there.
 */
function endLease(paths: StorePaths, id: string): void {
  if (existsSync(paths.heir)) {
    const idle = lockPresent(paths.pruneLock);
    if (idle) rmSync(paths.heir, { force: true }); // of a collector that was killed
    else appendFileSync(paths.heir, readFileSync(paths.lease(id)));
    idle?.release();
  }
  rmSync(paths.lease(id), { force: true });
}

/** Of live jobs and of dead ones. */
export function leaseIds(paths: StorePaths): readonly string[] {
  try {
    return readdirSync(paths.leases).filter((name) => !name.startsWith('.')); // claims on leases, where locks are such
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
