import { readlinkSync } from 'node:fs';
import { type ByteString, toFsPath, toText } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { lstatIfThere } from '../base/lstat.js';

/**
 * Where `path` leads inside the tree `root`, as seen by a process whose root it is: links are followed, absolute ones and
 * `..` stay inside. What does not exist is taken as written. Gives a clean relative path; '' is the root.
 * The tree must not change meanwhile.
 */
export function resolveInRoot(root: ByteString, path: ByteString): ByteString {
  const todo = path.split('/').reverse();
  const done: ByteString[] = [];
  for (let links = 0; todo.length > 0;) {
    const name = todo.pop() as string;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      done.pop();
      continue;
    }
    const full = [root, ...done, name].join('/');
    if (!lstatIfThere(full)?.isSymbolicLink()) {
      done.push(name);
      continue;
    }
    if (++links > limits.symlinks) {
      throw new BuildError('IMAGE_INVALID', `too many links in \`${toText(path)}\``);
    }
    const target = readlinkSync(toFsPath(full), 'latin1');
    if (target.startsWith('/')) done.length = 0;
    todo.push(...target.split('/').reverse());
  }
  return done.join('/');
}
