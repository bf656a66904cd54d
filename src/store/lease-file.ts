import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancel } from '../base/abort.js';
import { tryLockPath } from '../base/path-lock.js';
import type { StorePaths } from './paths.js';

/** What a lease can name: a `blob` by its digest, a `toc` by its diffID, the rest by the names that they have in the store. */
export type HeldKind = 'ref' | 'blob' | 'tree' | 'toc' | 'mount' | 'git';

/**
 * How a job says what it uses, so that no garbage collection takes it: before it looks whether the thing is there, and
 * before it makes it. What a held thing leads to is held with it.
 */
export interface Holding {
  /** Names the job's temporary files too. */
  readonly leaseId: string;
  /**
   * Holds things whose names others may know. Waits while a garbage collection is at work, which is for milliseconds.
   * From then on they stay if they are there; whether they are has to be asked afterwards.
   */
  hold(kind: HeldKind, ...names: readonly string[]): Promise<void>;
  /** Holds what nobody else can know yet, such as a random name that is about to be used for the first time. */
  holdNew(kind: HeldKind, name: string): void;
}

/** For stores that nobody may write to: nothing is taken from them. */
export const holdsNothing: Holding = {
  leaseId: 'none',
  hold: () => Promise.resolve(),
  holdNew: () => undefined,
};

/** The file of a lease, as the processes of its job write to it: a line for each thing held. */
export class LeaseFile implements Holding {
  readonly leaseId: string;
  readonly #signal: AbortSignal;
  readonly #fd: number;
  readonly #gate: string;
  readonly #held = new Set<string>();
  /** A full disk has taken a part of a line. */
  #isTorn = false;

  /** The file must be there: it is made by whoever takes the lease. `signal`: of the job. */
  constructor(paths: StorePaths, leaseId: string, { signal }: Cancel) {
    this.leaseId = leaseId;
    this.#signal = signal;
    this.#fd = openSync(paths.lease(leaseId), constants.O_WRONLY | constants.O_APPEND);
    this.#gate = paths.gcLock;
  }

  async hold(kind: HeldKind, ...names: readonly string[]): Promise<void> {
    const lines = names.map((name) => `${kind} ${name}\n`).filter((line) => !this.#held.has(line));
    if (lines.length === 0) return;
    for (let wait = 1; !this.#write(lines); wait = Math.min(wait * 2, 20)) {
      await sleep(wait, undefined, { signal: this.#signal }).catch(() => this.#signal.throwIfAborted());
    }
  }

  holdNew(kind: HeldKind, name: string): void {
    this.#append([`${kind} ${name}\n`]);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** While a garbage collection takes things, no hold is written: it has read all holds before. */
  #write(lines: readonly string[]): boolean {
    const gate = tryLockPath(this.#gate, 'file', 'shared');
    if (!gate) return false;
    try {
      this.#append(lines);
    } finally {
      gate.release();
    }
    return true;
  }

  /** All or an error: what is not written is not held. */
  #append(lines: readonly string[]): void {
    const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${lines.join('')}`);
    this.#isTorn = true;
    for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
    this.#isTorn = false;
    for (const line of lines) this.#held.add(line);
  }
}
