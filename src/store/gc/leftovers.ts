import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { lockPresent } from '../lock.js';
import type { StorePaths } from '../paths.js';
import { names } from './listing.js';
import { GONE } from './units.js';

/** What jobs and collections that were killed have left, and nobody will ask for. */
export interface Leftovers {
  /** Directories that may belong to other users. */
  readonly directories: readonly string[];
  /** Files and directories of this user. */
  readonly files: readonly string[];
}

/** Lists them. A job that begins has its lease before it makes anything, so what it makes is none. */
export function listLeftovers(paths: StorePaths): Leftovers {
  const orphans = (dir: string): readonly string[] =>
    names(dir)
      .filter((id) => !existsSync(paths.lease(id)))
      .map((id) => path.join(dir, id));
  const gone = (dir: string): readonly string[] =>
    names(dir)
      .filter((name) => name.startsWith(GONE))
      .map((name) => path.join(dir, name));
  return {
    directories: [
      ...orphans(path.dirname(paths.work('-'))),
      ...gone(paths.trees),
      ...gone(paths.cacheMounts),
      ...gone(paths.gits),
    ],
    files: [
      ...orphans(path.dirname(paths.temp('-'))),
      ...names(paths.damaged).map((name) => path.join(paths.damaged, name)),
    ],
  };
}

/** Removes the files of locks that were made for a moment, and whose holder was killed then. */
export function removePassedLocks(paths: StorePaths): void {
  for (const name of names(paths.locks)) {
    if (!/^(?:layer|plain|step|tree)-/.test(name)) continue;
    const lock = lockPresent(paths.lock(name));
    if (!lock) continue;
    rmSync(paths.lock(name), { force: true });
    lock.release();
  }
}
