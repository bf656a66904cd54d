import { closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs';
import { type ByteString, toFsPath, toText } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';

const O_PATH = 0x200000;

/**
 * Opens what `path` leads to inside the tree `root`, as a process has it whose root that is: absolute links and `..` stay
 * inside. Unlike with `resolveInRoot`, others may change the tree meanwhile: every component is opened from the one above
 * and followed only by what it is then. Gives a descriptor that pins the file and reads nothing (O_PATH), for the caller
 * to close; undefined when nothing is there.
 */
export function openInRoot(root: ByteString, path: ByteString): number | undefined {
  const todo = path.split('/').reverse();
  const dirs = [openSync(toFsPath(root), O_PATH | constants.O_DIRECTORY)];
  try {
    for (let links = 0; todo.length > 0;) {
      const name = todo.pop() as string;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (dirs.length > 1) closeSync(dirs.pop() as number);
        continue;
      }
      const full = toFsPath(`/proc/self/fd/${dirs.at(-1)}/${name}`);
      const fd = openSync(full, O_PATH | constants.O_NOFOLLOW);
      if (!fstatSync(fd).isSymbolicLink()) {
        dirs.push(fd);
        continue;
      }
      closeSync(fd);
      if (++links > limits.symlinks) {
        throw new BuildError('IMAGE_INVALID', `too many links in \`${toText(path)}\``);
      }
      const target = readlinkSync(full, 'latin1');
      if (target.startsWith('/')) for (const above of dirs.splice(1)) closeSync(above);
      todo.push(...target.split('/').reverse());
    }
    return dirs.pop();
  } catch (error) {
    // ENOTDIR: a file in the middle; EINVAL: a link that has become something else
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) return undefined;
    throw error;
  } finally {
    for (const fd of dirs) closeSync(fd);
  }
}
