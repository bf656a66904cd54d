import { closeSync, constants, openSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { BuildError, hasCode } from '../base/errors.js';
import { makeDirectory } from '../base/make-directory.js';
import { waitFlock } from '../base/linux/lock.js';
import { exportFailure } from '../base/system-errors.js';

/**
 * Runs `work` while no other Slipway writes to the directory, which is made if absent. The lock is on the directory
 * itself: nothing is left in it that another tool could take for its content. Throws EXPORT_FAILED.
 */
export async function withDirectoryLock(dest: string, opts: Cancel, work: () => Promise<void>): Promise<void> {
  const fd = openDirectory(dest);
  try {
    try {
      await waitFlock(fd, 'exclusive', opts);
    } catch (error) {
      // Network file systems want a file open for writing (EBADF), or have no locks: there one writer must be enough.
      if (!hasCode(error, 'EBADF', 'ENOLCK', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL')) throw error;
    }
    await work();
  } finally {
    closeSync(fd);
  }
}

function openDirectory(dest: string): number {
  try {
    makeDirectory(dest);
    return openSync(dest, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (!hasCode(error, 'ENOTDIR', 'EEXIST')) throw exportFailure(dest, error);
    throw new BuildError('EXPORT_FAILED', `\`${dest}\` is a file, and \`tar=false\` asks for a directory`);
  }
}
