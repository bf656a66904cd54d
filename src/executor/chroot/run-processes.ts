import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../base/errors.js';
import { reap } from '../../base/linux/exec.js';
import { capabilityNumber } from '../capabilities.js';
import { descendants } from '../descendants.js';

/**
 * What a RUN has started and nothing else: a process below this one that cannot have CAP_SYS_CHROOT any more. The launcher
 * takes that out of the bounding set, into which nothing comes back, and this process has it. As this process is a
 * subreaper, a daemon that left its parents is below it as well.
 */
interface RunProcess {
  readonly pid: number;
  readonly parent: number;
  /** Has ended, and is still to be waited for. */
  readonly isZombie: boolean;
}

const PATIENCE_MS = 5;

/**
 * Kills every process of a RUN below this one and returns when none is left. `main` is waited for by others: the id of what
 * `node:child_process` started, as long as it has not told of its end.
 */
export async function endRunProcesses(main: () => number | undefined): Promise<void> {
  while (killOnce(main())) await sleep(PATIENCE_MS);
}

/** The same where nothing can be waited for, because this process is about to end. */
export function endRunProcessesNow(): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while (runProcesses().some((one) => !one.isZombie)) {
    killOnce(undefined, 'leave zombies');
    Atomics.wait(clock, 0, 0, PATIENCE_MS);
  }
}

/** Waits for what has ended and was left by its parents, so that no process ids are used up. */
export function reapRunProcesses(main: number | undefined): void {
  for (const { pid, parent, isZombie } of runProcesses()) {
    if (isZombie && parent === process.pid && pid !== main) reap(pid);
  }
}

/** True if there was something to kill or to wait for. */
function killOnce(main: number | undefined, zombies: 'reap' | 'leave zombies' = 'reap'): boolean {
  const found = runProcesses().filter(({ pid, isZombie }) => !(isZombie && pid === main));
  for (const { pid, parent, isZombie } of found) {
    kill(pid); // a zombie too: its other threads may go on
    if (isZombie && zombies === 'reap' && parent === process.pid) reap(pid);
  }
  return found.length > 0;
}

function runProcesses(): readonly RunProcess[] {
  return descendants(process.pid).flatMap((pid) => {
    const status = readStatus(pid);
    if (status === undefined || !isBounded(status)) return [];
    const parent = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
    return [{ pid, parent, isZombie: /^State:\s*[ZX]/m.test(status) }];
  });
}

/** Whether a process can never have CAP_SYS_CHROOT, by its `/proc/PID/status`. */
export function isBounded(status: string): boolean {
  const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return (mask & (1n << BigInt(capabilityNumber('CAP_SYS_CHROOT')))) === 0n;
}

/** Undefined when the process has gone. */
export function readStatus(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

/** A process that has gone is no error. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
