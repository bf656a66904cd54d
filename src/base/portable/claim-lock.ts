import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { hasCode } from '../errors.js';
import type { LockedKind, LockMode, PathLock } from '../path-lock.js';

/** Whose claim a file in the folder of claims is; its name says all. */
interface Claim {
  readonly name: string;
  readonly mode: LockMode;
  readonly pid: number;
  /** Seconds that the machine had been up when it was made. */
  readonly uptime: number;
}

const NAME = /^(?<mode>shared|exclusive)-(?<pid>\d+)-(?<uptime>\d+)-[0-9a-f]+$/;

/**
 * `tryLockPath` without a lock of the kernel: whoever wants the lock puts a claim into a folder beside the file (in it, for a
 * directory) and then looks who else has one there. Of two that cannot both have it at least one sees the other, so never
 * do both get it; that both give way is possible. A claim whose process is dead is void, and removed by who finds it.
 *
 * Its limits: processes are told by their number, so all must be of one machine and see each other; and a number that another
 * process has got since looks like the one that died, until that ends as well or the machine is started anew.
 */
export function tryClaimPath(target: string, kind: LockedKind, mode: LockMode): PathLock | undefined {
  if (kind === 'existing-file') statSync(target); // no folder of claims for what is not there
  const dir = kind === 'directory' ? path.join(target, '.slipway-lock') : claimsBeside(target);
  const name = `${mode}-${process.pid}-${Math.floor(os.uptime())}-${randomBytes(8).toString('hex')}`;
  place(dir, name);
  let isHeld = false;
  try {
    if (othersIn(dir, name).some((other) => mode === 'exclusive' || other.mode === 'exclusive')) return undefined;
    if (kind === 'file') closeSync(openSync(target, 'a', 0o600));
    const locked = statSync(target);
    isHeld = true;
    return {
      stillHas: (at) => {
        const there = statSync(at, { throwIfNoEntry: false });
        return there?.ino === locked.ino && there.dev === locked.dev;
      },
      release: () => withdraw(dir, name),
    };
  } finally {
    if (!isHeld) withdraw(dir, name);
  }
}

/** Removes the claims of dead processes on files of `dir`, also on those that were never made. */
export function sweepClaims(dir: string): void {
  for (const name of readdirSync(dir).filter((one) => one.startsWith('.') && one.endsWith('.lock'))) {
    const claims = path.join(dir, name);
    try {
      othersIn(claims, '');
      removeIfEmpty(claims);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error; // its holder has just given it up
    }
  }
}

function claimsBeside(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.lock`);
}

function place(dir: string, name: string): void {
  for (;;) {
    try {
      mkdirSync(dir, 0o700);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    try {
      return closeSync(openSync(path.join(dir, name), 'wx', 0o600));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error; // else whoever gave up the last claim has removed the folder
    }
  }
}

function withdraw(dir: string, name: string): void {
  rmSync(path.join(dir, name), { force: true });
  removeIfEmpty(dir);
}

function removeIfEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT', 'EPERM', 'EBUSY')) throw error; // else others have claims there
  }
}

/** The claims of others whose processes live. Void ones are removed. */
function othersIn(dir: string, own: string): readonly Claim[] {
  return readdirSync(dir).flatMap((name) => {
    const claim = name === own ? undefined : parse(name);
    if (claim === undefined) return [];
    if (isAlive(claim)) return [claim];
    rmSync(path.join(dir, name), { force: true });
    return [];
  });
}

function parse(name: string): Claim | undefined {
  const { mode, pid, uptime } = NAME.exec(name)?.groups ?? {};
  if (mode === undefined) return undefined;
  return { name, mode: mode as LockMode, pid: Number(pid), uptime: Number(uptime) };
}

/** By the time that the machine is up, because its clock may be set meanwhile. */
function isAlive({ pid, uptime }: Claim): boolean {
  const now = os.uptime();
  if (uptime > now + 1) return false; // the machine was started since
  if (pid === process.pid) return uptime >= Math.floor(now - process.uptime()) - 1; // else our number was another's before
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH'); // another user's process says EPERM
  }
}
