import { readFileSync, realpathSync } from 'node:fs';
import { type ByteString, toFsPath } from '../bytes.js';
import { hasCode } from '../errors.js';
import { MNT_DETACH, unmount } from './mount.js';

/** Takes away every mount of this mount namespace on `dir` or below it, at once from all names. */
export function unmountBelow(dir: ByteString): void {
  for (const point of mountsBelow(dir)) unmount(point, MNT_DETACH);
}

/** Mount points on or below a directory, the latest first: unmounted in this order, each lies open when it is its turn. */
function mountsBelow(dir: ByteString): readonly ByteString[] {
  const real = realPath(dir);
  if (real === undefined) return [];
  return readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .map((line) => unescape(line.split(' ')[4] ?? ''))
    .filter((point) => point === real || point.startsWith(`${real}/`))
    .reverse();
}

function realPath(dir: ByteString): ByteString | undefined {
  try {
    return realpathSync.native(toFsPath(dir), 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Spaces, tabs, line breaks and backslashes are written in octal. */
function unescape(field: string): ByteString {
  return field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
