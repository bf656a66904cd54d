import type { Cancel } from '../base/abort.js';
import { BuildError, hasCode } from '../base/errors.js';
import { makeDirectory } from '../base/make-directory.js';
import { lockPath, type PathLock } from '../base/path-lock.js';
import { exportFailure } from '../base/system-errors.js';

/** What network file systems say that want a file open for writing (EBADF), or have no locks: there one writer must be enough. */
const NO_LOCKS = ['EBADF', 'ENOLCK', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL'];

/**
 * Runs `work` while no other Slipway writes to the directory, which is made if absent. The lock is on the directory
 * itself: nothing is left in it that another tool could take for its content. Throws EXPORT_FAILED.
 */
export async function withDirectoryLock(dest: string, opts: Cancel, work: () => Promise<void>): Promise<void> {
  const lock = await lockDirectory(dest, opts);
  try {
    await work();
  } finally {
    lock?.release();
  }
}

async function lockDirectory(dest: string, opts: Cancel): Promise<PathLock | undefined> {
  try {
    makeDirectory(dest);
    return await lockPath(dest, 'directory', 'exclusive', opts);
  } catch (error) {
    if (hasCode(error, ...NO_LOCKS)) return undefined;
    opts.signal.throwIfAborted();
    if (!hasCode(error, 'ENOTDIR', 'EEXIST')) throw exportFailure(dest, error);
    throw new BuildError('EXPORT_FAILED', `\`${dest}\` is a file, and \`tar=false\` asks for a directory`);
  }
}
