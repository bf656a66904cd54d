import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../src/base/errors.js';

/** What a test gives to a command in its environment, to know its processes again wherever they end up. */
export const MARK = 'SLIPWAY_TEST_MARK';

/**
 * Processes of a command that was started with `MARK=mark`: those that have it in their environment, and, since a RUN has
 * an environment of its own, those that name `word` in their command line. Gives a line for each.
 */
export function processesOf(mark: string, word: string): readonly string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const command = read(pid, 'cmdline').replaceAll('\0', ' ').trim();
    if (command === '') continue; // a kernel thread, or a process that has ended and is still to be waited for
    if (read(pid, 'environ').includes(`${MARK}=${mark}`) || command.includes(word)) found.push(`${pid} ${command}`);
  }
  return found;
}

/** Waits until there are none left; gives those that are there all the same after a while. */
export async function processesLeft(mark: string, word: string, patienceMs = 5000): Promise<readonly string[]> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const left = processesOf(mark, word);
    if (left.length === 0 || Date.now() > until) return left;
    await sleep(10);
  }
}

/** Mounts of this machine that have to do with a directory. */
export function mountsBelow(dir: string): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(dir));
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return '';
    throw error;
  }
}
