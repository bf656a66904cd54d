import { constants, endianness } from 'node:os';
import type { ByteString } from '../bytes.js';
import { CTIME, DEV, INO, MODE, MTIME, NLINK, RDEV, SIZE } from '../stat-row.js';
import { toCString } from './errno.js';
import { makeDevice } from './inode.js';
import { libc } from './libc.js';

/** On platforms whose layout is read here. Through syscall(2), since not every C library has the function. */
const SYS_STATX: Readonly<Record<string, number>> = { x64: 332, arm64: 291, riscv64: 291, loong64: 291 };

const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const WORD = 0x100000000;

const systemCall = endianness() === 'LE' ? SYS_STATX[process.arch] : undefined;
const words = new Uint32Array(64);
const answer = Buffer.from(words.buffer);

/**
 * statx(2) of a name in an open directory, links not followed, into the row of `rows` that begins at `at`: half of what
 * `lstatSync` costs with a whole path. False when there is no such name; undefined when it cannot be said so, and
 * `lstatSync` has to be asked.
 */
export function statxAt(dirfd: number, name: ByteString, rows: Float64Array, at: number): boolean | undefined {
  if (systemCall === undefined) return undefined;
  const { statx, errno } = libc();
  if (
    Number(statx(systemCall, dirfd, toCString(name, 'statx'), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, answer)) !== 0
  ) {
    return errno() === constants.errno.ENOENT ? false : undefined;
  }
  rows[at + MODE] = words[7]! & 0xffff;
  rows[at + DEV] = makeDevice(words[34]!, words[35]!);
  rows[at + INO] = words[9]! * WORD + words[8]!;
  rows[at + SIZE] = words[11]! * WORD + words[10]!;
  rows[at + MTIME] = milliseconds(28);
  rows[at + CTIME] = milliseconds(24);
  rows[at + NLINK] = words[4]!;
  rows[at + RDEV] = makeDevice(words[32]!, words[33]!);
  return true;
}

/** As Node.js computes it from seconds, which may be negative, and nanoseconds. */
function milliseconds(at: number): number {
  return ((words[at + 1]! | 0) * WORD + words[at]!) * 1000 + words[at + 2]! / 1e6;
}
