import type { ByteString } from '../bytes.js';
import { lastError, toCString } from './errno.js';
import { libc } from './libc.js';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const times = Buffer.alloc(32);

export type NodeType = 'char' | 'block' | 'fifo' | 'socket' | 'file';

const S_IF: Readonly<Record<NodeType, number>> = {
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
  file: 0o100000,
};

/** mknod(2). The process's umask takes bits from `mode`; `chmod` afterwards where they matter. */
export function mknod(path: ByteString, type: NodeType, mode: number, major = 0, minor = 0): void {
  if (libc().mknod(toCString(path, 'mknod'), S_IF[type] | mode, makeDevice(major, minor)) !== 0) {
    throw lastError('mknod', path);
  }
}

/** mkfifo(3). The process's umask takes bits from `mode`. */
export function mkfifo(path: ByteString, mode: number): void {
  if (libc().mkfifo(toCString(path, 'mkfifo'), mode) !== 0) throw lastError('mkfifo', path);
}

/** Sets access and modification time to the same moment, links not followed. Seconds may be negative. */
export function lutimes(path: ByteString, seconds: number, nanoseconds = 0): void {
  const whole = BigInt(seconds);
  const part = BigInt(nanoseconds);
  setTimes(path, whole, part, whole, part);
}

/** Sets access and modification time in nanoseconds since 1970, links not followed. */
export function lutimesNs(path: ByteString, atimeNs: bigint, mtimeNs: bigint): void {
  setTimes(path, ...split(atimeNs), ...split(mtimeNs));
}

/** The kernel's device number for `major` and `minor`, as `stat` gives it in `rdev`. */
export function makeDevice(major: number, minor: number): number {
  // 12 low bits of major at 8, 8 low bits of minor at 0, the rest of minor at 20, the rest of major at 32
  return (
    (minor & 0xff) +
    (major & 0xfff) * 0x100 +
    Math.floor((minor >>> 0) / 0x100) * 0x100000 +
    Math.floor((major >>> 0) / 0x1000) * 0x100000000000
  );
}

export function majorOf(device: number): number {
  return (Math.floor(device / 0x100) & 0xfff) + Math.floor(device / 0x100000000000) * 0x1000;
}

export function minorOf(device: number): number {
  return (device & 0xff) + (Math.floor(device / 0x100000) & 0xffffff) * 0x100;
}

function setTimes(path: ByteString, atime: bigint, atimeNs: bigint, mtime: bigint, mtimeNs: bigint): void {
  times.writeBigInt64LE(atime, 0);
  times.writeBigInt64LE(atimeNs, 8);
  times.writeBigInt64LE(mtime, 16);
  times.writeBigInt64LE(mtimeNs, 24);
  if (libc().utimensat(AT_FDCWD, toCString(path, 'utimensat'), times, AT_SYMLINK_NOFOLLOW) !== 0) {
    throw lastError('utimensat', path);
  }
}

function split(ns: bigint): [bigint, bigint] {
  const part = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return [(ns - part) / 1_000_000_000n, part];
}
