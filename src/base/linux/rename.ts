import type { ByteString } from '../bytes.js';
import { lastError, toCString } from './errno.js';
import { libc } from './libc.js';

const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

/** Renames; throws EEXIST instead of replacing what is at `to`. EINVAL where the file system cannot promise that. */
export function renameNoReplace(from: ByteString, to: ByteString): void {
  rename2(from, to, RENAME_NOREPLACE);
}

/** Swaps two names in one step; both must exist. */
export function renameExchange(a: ByteString, b: ByteString): void {
  rename2(a, b, RENAME_EXCHANGE);
}

function rename2(from: ByteString, to: ByteString, flags: number): void {
  const source = toCString(from, 'renameat2');
  if (libc().renameat2(AT_FDCWD, source, AT_FDCWD, toCString(to, 'renameat2'), flags) !== 0) {
    throw lastError('renameat2', from, to);
  }
}
