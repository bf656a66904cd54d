import { chmodSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fromText } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';
import { mknod } from '../../base/linux/inode.js';
import { MS, mount } from '../../base/linux/mount.js';

/**
 * A null device that is not the machine's, below `dir`, which is on a file system of this process alone. A runtime gives
 * the standard streams to the user of the process (crun: fchown, after it has opened /dev/null anew): the machine's
 * /dev/null would belong to that user from then on. Undefined where this process may make no device, as in a user
 * namespace: there it cannot give the machine's away either.
 */
export function makeOwnNull(dir: string): string | undefined {
  const own = path.join(dir, 'dev');
  mkdirSync(own);
  mount({ source: 'tmpfs', target: fromText(own), type: 'tmpfs', flags: MS.NOSUID, data: 'mode=0700,size=64k' });
  const file = path.join(own, 'null');
  try {
    mknod(fromText(file), 'char', 0o666, 1, 3);
    chmodSync(file, 0o666); // whatever the umask
    return file;
  } catch (error) {
    if (hasCode(error, 'EPERM', 'EACCES')) return undefined;
    throw error;
  }
}
