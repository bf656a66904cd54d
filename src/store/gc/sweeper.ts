import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancel } from '../../base/abort.js';
import { hasCode } from '../../base/errors.js';
import { lockPath } from '../../base/path-lock.js';
import { leaseIds } from '../leases.js';
import type { StorePaths } from '../paths.js';
import type { Reach } from './reach.js';
import type { Roots } from './roots.js';
import { GONE } from './units.js';

/** Something to be removed, unless it is needed when its turn comes. */
export interface Removal {
  readonly path: string;
  /** Where it goes first, so that whoever waits need not wait for its end: out of the way, or aside among its like. */
  readonly by: 'unlink' | 'temp' | 'aside';
  isNeeded(): boolean;
}

/** How long others may have to wait at most: milliseconds. While there are others, as long is waited between two such spans. */
const SPAN_MS = 8;

/**
 * Removes things in short spans, in which no job can begin to hold anything. In each span it first reads what jobs hold
 * now, so whatever a job holds before it looks for it is still there. It can be killed at any moment.
 */
export class Sweeper {
  readonly #paths: StorePaths;
  readonly #roots: Roots;
  /** Everything that stays. */
  readonly #reach: Reach;
  readonly #temp: string;

  /** `temp`: a folder of this job for temporary files. */
  constructor(paths: StorePaths, roots: Roots, reach: Reach, temp: string) {
    this.#paths = paths;
    this.#roots = roots;
    this.#reach = reach;
    this.#temp = temp;
  }

  /**
   * Removes them in this order: what leads to others before the others. `discard` takes away the directories that were set
   * aside. Gives what was removed.
   */
  async sweep<R extends Removal>(
    removals: readonly R[],
    discard: (dirs: readonly string[]) => Promise<void>,
    { signal }: Cancel,
  ): Promise<readonly R[]> {
    const hasTemp = isMade(this.#temp);
    const removed: R[] = [];
    for (let at = 0; at < removals.length;) {
      const trash: string[] = [];
      at = await this.#shut(signal, () => {
        const until = performance.now() + SPAN_MS;
        let next = at;
        for (; next < removals.length && performance.now() < until; next++) {
          const one = removals[next]!;
          if (!one.isNeeded() && this.#take(one, hasTemp, trash)) removed.push(one);
        }
        return next;
      });
      for (const file of trash.filter((one) => path.dirname(one) === this.#temp)) rmSync(file, { force: true });
      await discard(trash.filter((one) => path.dirname(one) !== this.#temp));
      const others = at < removals.length && leaseIds(this.#paths).length > 1;
      await sleep(others ? SPAN_MS : 0, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
    return removed;
  }

  /** Runs `work` while no job can begin to hold anything, and `reach` has all that jobs hold and images need. */
  async #shut<T>(signal: AbortSignal, work: () => T): Promise<T> {
    const gate = await lockPath(this.#paths.gcLock, 'file', 'exclusive', { signal });
    try {
      const { held, images } = this.#roots.news();
      for (const { kind, name } of held) this.#reach.add(kind, name);
      for (const digest of images) this.#reach.addBlob(digest);
      return work();
    } finally {
      gate.release();
    }
  }

  /** False when it is gone already. */
  #take({ path: from, by }: Removal, hasTemp: boolean, trash: string[]): boolean {
    try {
      if (by === 'unlink' || (by === 'temp' && !hasTemp)) {
        lstatSync(from);
        rmSync(from, { force: true });
        return true;
      }
      const name = `${GONE}${randomBytes(6).toString('hex')}`;
      // A directory of another user can get another name, but not another parent.
      const to = path.join(by === 'temp' ? this.#temp : path.dirname(from), name);
      renameSync(from, to);
      trash.push(to);
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }
}

/** On a full disk there may be no room for it: others then wait for as long as the largest file takes to go. */
function isMade(dir: string): boolean {
  try {
    mkdirSync(dir, { recursive: true });
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOSPC', 'EDQUOT')) return false;
    throw error;
  }
}
