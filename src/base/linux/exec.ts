import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import type { ByteString } from '../bytes.js';
import { hasCode } from '../errors.js';
import { lastError, systemError, toCString, type SystemError } from './errno.js';
import { libc } from './libc.js';

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const SIG_DFL = 0;
const SIG_SETMASK = 2;
const LAST_SIGNAL = 64;
const SIGSET_BYTES = 128;
const UNLIMITED = 0xffff_ffff_ffff_ffffn;

/**
 * Of the open descriptors of this process only standard input, output and error are passed on to a program that it executes:
 * these too Node.js keeps to itself. Needs /proc.
 */
export function passStandardStreamsOnly(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (libc().fcntl(fd, F_SETFD, fd <= 2 ? 0 : FD_CLOEXEC) === 0) continue;
    const error = lastError('fcntl');
    if (!hasCode(error, 'EBADF')) throw error; // the one that the directory was read with
  }
}

/** Gives every signal its default effect and blocks none: what is ignored or blocked stays so in an executed program. */
export function resetSignals(): void {
  for (let number = 1; number <= LAST_SIGNAL; number++) libc().signal(number, SIG_DFL); // EINVAL for the C library's own
  if (libc().sigprocmask(SIG_SETMASK, new Uint8Array(SIGSET_BYTES), null) !== 0) throw lastError('sigprocmask');
}

/** Sets a limit by the kernel's number; a negative value is no limit. */
export function setLimit(resource: number, soft: number, hard: number): void {
  const limits = BigUint64Array.from([soft, hard].map((value) => (value < 0 ? UNLIMITED : BigInt(value))));
  if (libc().setrlimit(resource, limits) !== 0) throw lastError('setrlimit');
}

/** execve(2): comes back only with the error when it failed. */
export function execute(file: ByteString, args: readonly string[], env: readonly string[]): SystemError {
  if ([...args, ...env].some((text) => text.includes('\0'))) return systemError(constants.errno.EINVAL, 'execve', file);
  libc().execve(toCString(file, 'execve'), [...args, null], [...env, null]);
  return lastError('execve', file);
}

const WNOHANG = 1;

/**
 * Waits for a child that has ended and that nobody else waits for. False when it is no child, or has not ended. Never to be
 * called for what `node:child_process` started: that waits itself.
 */
export function reap(pid: number): boolean {
  return libc().waitpid(pid, null, WNOHANG) === pid;
}
