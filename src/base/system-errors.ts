import { BuildError, hasCode } from './errors.js';

/**
 * Turns the system errors that a user can cause and mend (a full disk, missing permission, a read-only file system, too
 * many open files) into BuildErrors; gives anything else back as it is. `doing` says what was tried: "writing the
 * store", "unpacking `node:20`".
 */
export function explainSystemError(error: unknown, doing: string): unknown {
  if (error instanceof BuildError) return error;
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new BuildError('DISK_FULL', `no space left on the disk while ${doing}`, {
      hint: 'free some space, or put the store elsewhere with `--root` or `SLIPWAY_ROOT`; the store is intact',
      cause: error,
    });
  }
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) {
    const why = hasCode(error, 'EROFS') ? 'the file system is read-only' : 'permission denied';
    return new BuildError('STORE_UNAVAILABLE', `${why} while ${doing}`, {
      hint: 'put the store where this user may write with `--root` or `SLIPWAY_ROOT`',
      cause: error,
    });
  }
  if (hasCode(error, 'EMFILE', 'ENFILE')) {
    return new BuildError('STORE_UNAVAILABLE', `too many open files while ${doing}`, {
      hint: 'raise the limit with `ulimit -n 65536`',
      cause: error,
    });
  }
  return error;
}
