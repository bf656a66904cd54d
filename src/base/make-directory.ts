import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from './errors.js';

/**
 * Makes a directory that a user names, with those that it needs; `mode` is for all that are made. Throws the system's error. Not by Node.js' `recursive`,
 * which never ends where the kernel says ENOENT to whoever wants to make something, as below `/proc`.
 */
export function makeDirectory(dir: string, mode = 0o777): void {
  try {
    mkdirSync(dir, mode);
  } catch (error) {
    if (hasCode(error, 'EEXIST') && isDirectory(dir)) return;
    const parent = path.dirname(dir);
    if (!hasCode(error, 'ENOENT') || parent === dir || isDirectory(parent)) throw error;
    makeDirectory(parent, mode);
    makeDirectory(dir, mode);
  }
}

function isDirectory(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
