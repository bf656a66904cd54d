import { constants } from 'node:os';
import type { ByteString } from '../bytes.js';
import { hasCode } from '../errors.js';
import { lastError, toCString } from './errno.js';
import { libc } from './libc.js';

const PR_SET_PDEATHSIG = 1;
const PR_GET_PDEATHSIG = 2;
const PR_SET_CHILD_SUBREAPER = 36;
const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x20000;

/** Orphans below this process become its children instead of init's. Whoever asks for that must reap or outlive them. */
export function becomeSubreaper(): void {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/**
 * The kernel sends `signal` to this process when the thread that started it ends. It says nothing when that has
 * happened already: compare `process.ppid` afterwards.
 */
export function dieWithParent(signal: NodeJS.Signals): void {
  prctl(PR_SET_PDEATHSIG, constants.signals[signal]);
}

/** Number of the signal set by `dieWithParent`, 0 for none. */
export function parentDeathSignal(): number {
  const out = Buffer.alloc(4);
  if (libc().prctlOut(PR_GET_PDEATHSIG, out, 0, 0, 0) !== 0) throw lastError('prctl');
  return out.readInt32LE(0);
}

/**
 * Gives the calling thread its own mount namespace and working directory. Only synchronous file system calls made on
 * this thread see its mounts: asynchronous ones run on threads that stay behind.
 */
export function unshareMounts(): void {
  if (libc().unshare(CLONE_FS | CLONE_NEWNS) !== 0) throw lastError('unshare');
}

/** Changes the working directory of this process, also where Node's own idea of the current one is out of date. */
export function changeDirectory(dir: ByteString): void {
  if (libc().chdir(toCString(dir, 'chdir')) !== 0) throw lastError('chdir', dir);
}

/** Signals every process of a group. False when none is left. */
export function killGroup(group: number, signal: NodeJS.Signals): boolean {
  if (!Number.isInteger(group) || group <= 1) throw new RangeError(`not a process group: ${group}`);
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}

function prctl(option: number, value: number): void {
  if (libc().prctl(option, value, 0, 0, 0) !== 0) throw lastError('prctl');
}
