import { lutimesSync } from 'node:fs';
import { type ByteString, toFsPath } from '../bytes.js';
import { notSupported } from './not-supported.js';

/** Node.js has no mknod(2). Throws ENOTSUP. */
export function mknod(path: ByteString): never {
  throw notSupported('mknod', path);
}

/** Node.js has no mkfifo(3). Throws ENOTSUP. */
export function mkfifo(path: ByteString): never {
  throw notSupported('mkfifo', path);
}

/** Sets access and modification time to the same moment, links not followed. Seconds may be negative. */
export function lutimes(path: ByteString, seconds: number): void {
  lutimesSync(toFsPath(path), seconds, seconds);
}

/** As macOS has it: 8 bits of major above 24 of minor. */
export function majorOf(device: number): number {
  return (device >>> 24) & 0xff;
}

export function minorOf(device: number): number {
  return device & 0xffffff;
}
