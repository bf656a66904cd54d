import { constants } from 'node:os';
import { lastError, systemError } from './errno.js';
import { libc } from './libc.js';

const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;
const SECCOMP_RET_ALLOW = 0x7fff0000;
const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;
const SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102;
const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
const NOTIF_BYTES = 80;
const ANSWER_BYTES = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const POLLIN = 1;
const POLLHUP = 16;

/** The system calls that can be listened to, with their numbers and the kernel's number of the architecture. */
const NUMBERS: Readonly<
  Partial<Record<NodeJS.Architecture, { seccomp: number; audit: number; readlink?: number; readlinkat: number }>>
> = {
  x64: { seccomp: 317, audit: 0xc000003e, readlink: 89, readlinkat: 267 },
  arm64: { seccomp: 277, audit: 0xc00000b7, readlinkat: 78 },
};

/** A call of readlink(2) that waits for an answer. */
export interface LinkCall {
  readonly id: bigint;
  /** Of the thread. */
  readonly pid: number;
  /** Addresses in that process. */
  readonly path: bigint;
  readonly buffer: bigint;
  readonly size: number;
}

/**
 * From now on the calling thread, and whatever it executes or starts, waits for an answer whenever it asks where a link
 * leads. Gives the descriptor to answer on. Such a thread gets no privileges from setuid programs any more. Undefined where
 * the kernel or a container's own filter does not have it.
 */
export function listenToLinks(): number | undefined {
  const numbers = NUMBERS[process.arch];
  if (!numbers) return undefined;
  if (libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) !== 0) throw lastError('prctl');
  const filter = linkFilter(numbers);
  const program = { length: filter.length / 8, filter };
  const fd = Number(
    libc().seccomp(numbers.seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, program),
  );
  if (fd >= 0) return fd;
  const errno = libc().errno();
  const { EINVAL, ENOSYS, EPERM, EBUSY } = constants.errno;
  if ([EINVAL, ENOSYS, EPERM, EBUSY].includes(errno)) return undefined;
  throw systemError(errno, 'seccomp');
}

/** A classic BPF program, see seccomp(2): 8 bytes an instruction, here the code, two jumps and a constant. */
function linkFilter({ audit, readlink, readlinkat }: { audit: number; readlink?: number; readlinkat: number }): Buffer {
  const [LOAD, JUMP_IF_EQUAL, RETURN] = [0x20, 0x15, 0x06];
  const calls = [readlinkat, ...(readlink === undefined ? [] : [readlink])];
  const code: readonly (readonly [number, number, number, number])[] = [
    [LOAD, 0, 0, 4], // architecture
    [JUMP_IF_EQUAL, 0, calls.length + 1, audit],
    [LOAD, 0, 0, 0], // number of the call
    ...calls.map((number, i) => [JUMP_IF_EQUAL, calls.length - i, 0, number] as const),
    [RETURN, 0, 0, SECCOMP_RET_ALLOW],
    [RETURN, 0, 0, SECCOMP_RET_USER_NOTIF],
  ];
  const bytes = Buffer.alloc(code.length * 8);
  code.forEach(([operation, yes, no, constant], i) => {
    bytes.writeUInt16LE(operation, i * 8);
    bytes.writeUInt8(yes, i * 8 + 2);
    bytes.writeUInt8(no, i * 8 + 3);
    bytes.writeUInt32LE(constant, i * 8 + 4);
  });
  return bytes;
}

/** Waits up to `ms` for something to read. `ended` when nobody is left who could write. */
export function awaitInput(fd: number, ms: number): 'ready' | 'nothing' | 'ended' {
  const entry = Buffer.alloc(8);
  entry.writeInt32LE(fd, 0);
  entry.writeInt16LE(POLLIN, 4);
  const count = libc().poll(entry, 1, ms);
  if (count < 0 && libc().errno() !== constants.errno.EINTR) throw lastError('poll');
  const events = count > 0 ? entry.readInt16LE(6) : 0;
  if (events & POLLIN) return 'ready';
  return events & POLLHUP ? 'ended' : 'nothing';
}

/** Takes the next call. Undefined when who made it is gone. */
export function takeLinkCall(fd: number): LinkCall | undefined {
  const notification = Buffer.alloc(NOTIF_BYTES);
  if (libc().ioctlWith(fd, SECCOMP_IOCTL_NOTIF_RECV, notification) !== 0) {
    const errno = libc().errno();
    if (errno === constants.errno.ENOENT || errno === constants.errno.EINTR) return undefined;
    throw systemError(errno, 'ioctl');
  }
  const number = notification.readInt32LE(16);
  const argument = (i: number): bigint => notification.readBigUInt64LE(32 + i * 8);
  const first = number === NUMBERS[process.arch]?.readlink ? 0 : 1;
  return {
    id: notification.readBigUInt64LE(0),
    pid: notification.readUInt32LE(8),
    path: argument(first),
    buffer: argument(first + 1),
    size: Number(argument(first + 2) & 0xffff_ffffn),
  };
}

/** Whether the call still waits, so that its `pid` was that of who made it up to now. */
export function stillWaits(fd: number, { id }: LinkCall): boolean {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(id);
  return libc().ioctlWith(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, bytes) === 0;
}

/** Answers a call with the length that was written to its buffer, or lets the kernel do it. */
export function answerLinkCall(fd: number, id: bigint, length: number | 'as the kernel does'): void {
  const answer = Buffer.alloc(ANSWER_BYTES);
  answer.writeBigUInt64LE(id, 0);
  if (length === 'as the kernel does') answer.writeUInt32LE(SECCOMP_USER_NOTIF_FLAG_CONTINUE, 20);
  else answer.writeBigInt64LE(BigInt(length), 8);
  if (libc().ioctlWith(fd, SECCOMP_IOCTL_NOTIF_SEND, answer) === 0) return;
  const errno = libc().errno();
  if (errno !== constants.errno.ENOENT) throw systemError(errno, 'ioctl'); // ENOENT: a signal came, or it was killed
}
