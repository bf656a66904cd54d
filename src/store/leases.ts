import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { hasCode } from '../base/errors.js';
import { tryLock, type FileLock } from './lock.js';
import type { StorePaths } from './paths.js';

/**
 * What a job is using, written before it is used: a locked file with a line for each thing held (`ref <id>`,
 * `blob <digest>`). When the job dies its lock is gone, which makes the lease void.
 */
export class Lease {
  readonly id: string;
  readonly #paths: StorePaths;
  readonly #file: string;
  readonly #lock: FileLock;
  readonly #held = new Set<string>();

  private constructor(paths: StorePaths, id: string, file: string, lock: FileLock) {
    this.#paths = paths;
    this.id = id;
    this.#file = file;
    this.#lock = lock;
  }

  static take(paths: StorePaths): Lease {
    mkdirSync(paths.leases, { recursive: true });
    for (;;) {
      const id = randomBytes(6).toString('hex');
      const file = path.join(paths.leases, id);
      const lock = tryLock(file);
      // A sweeper may take a new file's lock between its making and ours, and remove it: then it is not ours to use.
      if (lock?.stillHas(file)) return new Lease(paths, id, file, lock);
      lock?.release();
    }
  }

  hold(kind: 'ref' | 'blob' | 'tree', name: string): void {
    const line = `${kind} ${name}\n`;
    if (this.#held.has(line)) return;
    appendFileSync(this.#file, line);
    this.#held.add(line);
  }

  /** Gives everything back; the job's temporary files go. */
  async release(): Promise<void> {
    await rm(this.#paths.temp(this.id), { recursive: true, force: true });
    if (!existsSync(this.#paths.work(this.id))) rmSync(this.#file, { force: true });
    this.#lock.release();
  }
}

/**
 * Removes what dead jobs left. Temporary files are removed here; unfinished trees by `removeWork`, given only in a
 * worker, which alone may remove files of other users. A lease stays until its unfinished trees are gone.
 */
export async function sweepDeadLeases(paths: StorePaths, removeWork?: (dir: string) => void): Promise<void> {
  for (const id of names(paths.leases)) {
    const file = path.join(paths.leases, id);
    const lock = lockDead(file);
    if (!lock) continue;
    try {
      await rm(paths.temp(id), { recursive: true, force: true });
      const work = paths.work(id);
      if (existsSync(work)) removeWork?.(work);
      if (!existsSync(work)) rmSync(file, { force: true });
    } catch {
      continue; // what cannot be removed now must not stop this job; the lease stays, so the next one tries again
    } finally {
      lock.release();
    }
  }
}

/** The lock of a lease that nobody holds. One that is gone meanwhile is not made anew. */
function lockDead(file: string): FileLock | undefined {
  try {
    return tryLock(file, 'existing');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function names(dir: string): string[] {
  try {
    return readdirSync(dir).filter((name) => !name.startsWith('.')); // claims on leases, where locks are such
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
