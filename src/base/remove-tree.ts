import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { type ByteString, fromText, toFsPath } from './bytes.js';
import { hasCode } from './errors.js';

/**
 * Removes a directory with all that is in it; absence is no error. Also one so deep that its innermost names exceed what
 * the kernel takes as a path, which any process can make.
 */
export function removeTree(dir: string): void {
  removeAny(fromText(dir));
}

/** The same for a path of bytes, of a directory or anything else. */
export function removeAny(path: ByteString): void {
  try {
    rmSync(toFsPath(path), { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, 'ENAMETOOLONG')) throw error;
    removeDeep(path);
  }
}

/** Moves every directory to the top before it is looked into, so that all paths stay short. */
function removeDeep(dir: ByteString): void {
  const todo = [dir];
  for (let at = todo.at(-1); at !== undefined; at = todo.at(-1)) {
    const below = todo.length;
    for (const entry of readdirSync(toFsPath(at), { withFileTypes: true, encoding: 'latin1' })) {
      const path = `${at}/${entry.name}`;
      if (!entry.isDirectory()) unlinkSync(toFsPath(path));
      else if (at === dir) todo.push(path);
      else {
        const top = `${dir}/.${randomBytes(12).toString('hex')}`;
        renameSync(toFsPath(path), toFsPath(top));
        todo.push(top);
      }
    }
    if (todo.length > below) continue;
    rmdirSync(toFsPath(at));
    todo.pop();
  }
}
