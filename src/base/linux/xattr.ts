import { constants } from 'node:os';
import { type ByteString, fromBytes } from '../bytes.js';
import { lastError, systemError, toCString } from './errno.js';
import { libc } from './libc.js';

/** The kernel's bounds on one value and on the list of names of one file. */
const MAX_BYTES = 65536;
const scratch = Buffer.alloc(MAX_BYTES);

const { ENODATA, EOPNOTSUPP, ERANGE } = constants.errno;

/** Value of an extended attribute, links not followed; undefined when it is not there or none can be. */
export function lgetxattr(path: ByteString, name: ByteString): Buffer | undefined {
  const size = libc().lgetxattr(toCString(path, 'lgetxattr'), toCString(name, 'lgetxattr'), scratch, MAX_BYTES);
  if (size >= 0) return Buffer.from(scratch.subarray(0, size));
  const errno = libc().errno();
  if (errno === ENODATA || errno === EOPNOTSUPP) return undefined;
  throw systemError(errno, 'lgetxattr', path);
}

/** Names of the extended attributes in byte order, links not followed; none where the file system has none. */
export function llistxattr(path: ByteString): ByteString[] {
  const size = libc().llistxattr(toCString(path, 'llistxattr'), scratch, MAX_BYTES);
  if (size < 0) {
    const errno = libc().errno();
    if (errno === EOPNOTSUPP) return [];
    throw systemError(errno, 'llistxattr', path);
  }
  if (size === 0) return [];
  return fromBytes(scratch.subarray(0, size - 1))
    .split('\0')
    .sort();
}

/** Sets or replaces an extended attribute, links not followed. */
export function lsetxattr(path: ByteString, name: ByteString, value: Uint8Array): void {
  if (value.length > MAX_BYTES) throw systemError(ERANGE, 'lsetxattr', path);
  const result = libc().lsetxattr(toCString(path, 'lsetxattr'), toCString(name, 'lsetxattr'), value, value.length, 0);
  if (result !== 0) throw lastError('lsetxattr', path);
}

/** Removes an extended attribute, links not followed; absence is no error. */
export function lremovexattr(path: ByteString, name: ByteString): void {
  if (libc().lremovexattr(toCString(path, 'lremovexattr'), toCString(name, 'lremovexattr')) === 0) return;
  const errno = libc().errno();
  if (errno !== ENODATA) throw systemError(errno, 'lremovexattr', path);
}
