import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { type ByteString, fromText } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';
import { isLinux } from '../../base/platform.js';
import { asFileUser } from '../../base/linux/credentials.js';
import { isBounded, kill, readStatus } from './run-processes.js';

const PATIENCE_MS = 5;
const ROUNDS = 2000;

/**
 * Kills what RUNs of a dead worker have left: every process whose root is `dir` or lies in it, until there is none. Nothing
 * else is touched. A process that hides its root (by clearing its dumpable flag) is not found. Does nothing for others than
 * root, who cannot have made such processes. Throws when one does not end for seconds.
 */
export function killStrays(dir: string): void {
  if (!isLinux || process.getuid?.() !== 0) return;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < ROUNDS; round++) {
    const strays = straysIn(dir);
    if (strays.length === 0) return;
    for (const pid of strays) kill(pid);
    Atomics.wait(clock, 0, 0, PATIENCE_MS);
  }
  throw new Error(`processes that do not end: ${straysIn(dir).join(' ')}`);
}

/** Ids of the processes that killStrays would kill. */
export function straysIn(dir: string): readonly number[] {
  const real = fromText(realpathSync(dir));
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const status = readStatus(pid);
      if (status === undefined || !isBounded(status)) return false; // no process of a RUN
      const root = rootOf(pid, status);
      return root !== undefined && (root === real || root.startsWith(`${real}/`));
    });
}

/** As this process would name it; undefined when it cannot be known, as of a process that has ended. */
function rootOf(pid: number, status: string): ByteString | undefined {
  const read = (): ByteString => readlinkSync(`/proc/${pid}/root`, 'latin1');
  try {
    const [uid, gid] = [oneId(status, 'Uid'), oneId(status, 'Gid')];
    return uid === 0 || uid === undefined || gid === undefined ? read() : asFileUser(uid, gid, read);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}

/** The id when real, effective, saved and file system's id are one. */
function oneId(status: string, name: 'Uid' | 'Gid'): number | undefined {
  const ids = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.split('\t') ?? [];
  return new Set(ids).size === 1 ? Number(ids[0]) : undefined;
}
