import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { type ByteString, isAscii, toText } from '../bytes.js';
import { type CString, libc } from './libc.js';

/** What a failed system call throws: the shape of Node's own system errors, so `hasCode` works on both. */
export interface SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;
}

/** The error for the errno of the call that has just failed. Call it before any other system call. */
export function lastError(syscall: string, path?: ByteString, dest?: ByteString): SystemError {
  return systemError(libc().errno(), syscall, path, dest);
}

export function systemError(errno: number, syscall: string, path?: ByteString, dest?: ByteString): SystemError {
  const [code, text] = getSystemErrorMap().get(-errno) ?? [codeOf(errno), 'unknown error'];
  const from = path === undefined ? undefined : toText(path);
  const to = dest === undefined ? undefined : toText(dest);
  const names = `${from === undefined ? '' : ` '${from}'`}${to === undefined ? '' : ` -> '${to}'`}`;
  return Object.assign(new Error(`${code}: ${text}, ${syscall}${names}`), {
    code,
    errno: -errno,
    syscall,
    ...(from === undefined ? {} : { path: from }),
    ...(to === undefined ? {} : { dest: to }),
  });
}

/** A ByteString for C. Throws EINVAL for a NUL inside, which C would take for the end. */
export function toCString(bytes: ByteString, syscall: string): CString {
  if (bytes.includes('\0')) throw systemError(constants.errno.EINVAL, syscall, bytes);
  return isAscii(bytes) ? bytes : Buffer.from(`${bytes}\0`, 'latin1');
}

function codeOf(errno: number): string {
  for (const [name, value] of Object.entries(constants.errno)) if (value === errno) return name;
  return `ERRNO_${errno}`;
}
