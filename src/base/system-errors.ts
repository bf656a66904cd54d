import { BuildError, hasCode } from './errors.js';

/**
 * Turns the system errors that a user can cause and mend (a full disk, missing permission, a read-only file system, too
 * many open files, names that are too long) into BuildErrors; gives anything else back as it is. `doing` says what was tried: "writing the
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
  if (hasCode(error, 'ENAMETOOLONG')) {
    return new BuildError('UNSUPPORTED', `a path is longer than the system allows while ${doing}`, {
      hint: 'with the folder of the store in front it may have 4095 bytes: look for directories that are nested too deep',
      cause: error,
    });
  }
  if (hasCode(error, 'ENOTCONN')) {
    return new BuildError(
      'WORKER_FAILED',
      `a file system went away while ${doing}: the program that served it has ended`,
      {
        hint: 'try again; `slipway doctor` tells which file systems of the store a program serves, and how to do without',
        cause: error,
      },
    );
  }
  if (hasCode(error, 'EMFILE', 'ENFILE')) {
    return new BuildError('STORE_UNAVAILABLE', `too many open files while ${doing}`, {
      hint: 'raise the limit with `ulimit -n 65536`',
      cause: error,
    });
  }
  return error;
}

/** Says which output failed and how to mend it; anything that is no system error is given back as it is. */
export function exportFailure(dest: string, error: unknown): unknown {
  if (error instanceof BuildError) return error;
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new BuildError('DISK_FULL', `no space left on the disk while writing \`${dest}\``, {
      hint: 'free some space, or write elsewhere; nothing half-written was left',
      cause: error,
    });
  }
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EISDIR', 'EEXIST')) {
    const why = (error as Error).message;
    return new BuildError('EXPORT_FAILED', `cannot write \`${dest}\`: ${why}`, {
      hint: 'the folder must exist and be writable by this user',
      cause: error,
    });
  }
  if (hasCode(error, 'EPIPE'))
    return new BuildError('EXPORT_FAILED', `whoever read \`${dest}\` stopped reading`, { cause: error });
  return error;
}
