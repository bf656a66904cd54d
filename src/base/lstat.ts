import { lstatSync, type Stats } from 'node:fs';
import { type ByteString, toFsPath } from './bytes.js';
import { hasCode } from './errors.js';

/** What lies at a path, links not followed; undefined when nothing can lie there, for want of a directory above too. */
export function lstatIfThere(path: ByteString): Stats | undefined {
  try {
    return lstatSync(toFsPath(path), { throwIfNoEntry: false });
  } catch (error) {
    if (hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
