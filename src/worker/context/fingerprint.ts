import { createHash } from 'node:crypto';
import type { ByteString } from '../../base/bytes.js';
import { CTIME, isFile, MODE, MTIME, RDEV, STAT_ROW } from '../../base/stat-row.js';
import type { Digest } from '../../oci/digest.js';
import { joinPath } from '../file-op/paths.js';
import type { DirListing } from './dir-listing.js';

/** Directories of a context: one, or one with all that are below it. */
export interface ExtentPart {
  readonly dir: ByteString;
  readonly deep: boolean;
}

export type Extent = readonly ExtentPart[];

/** How a directory of the context is listed; undefined for what is none. */
export type Listing = (dir: ByteString) => DirListing | undefined;

export interface Fingerprint {
  /** Equal digests: whatever depends on these directories alone is the same, unless `newest` was too young to tell. */
  readonly digest: Digest;
  /** The latest time of any file, milliseconds since 1970: of its content, or of anything else about it. */
  readonly newest: number;
}

/**
 * Of names, types, modes, link targets and devices, and of what tells a file with other content: which one it is, its size, and
 * its times. Of other things' times nothing counts.
 */
export function fingerprint(extent: Extent, listing: Listing): Fingerprint {
  const hash = createHash('sha256');
  let newest = -Infinity;
  const add = (dir: ByteString, deep: boolean): void => {
    const listed = listing(dir);
    hash.update(listed ? `${dir}\0${listed.names.join('/')}\0` : `${dir}\0\0no directory\0`, 'latin1');
    if (!listed) return;
    hash.update(`${listed.targets.size}\0`);
    for (const [index, target] of listed.targets) hash.update(`${index} ${target}\0`, 'latin1');
    const rows = listed.rows.slice();
    for (let row = 0; row < rows.length; row += STAT_ROW) {
      if (isFile(rows[row + MODE]!)) newest = Math.max(newest, rows[row + MTIME]!, rows[row + CTIME]!);
      else keepType(rows, row);
    }
    hash.update(new Uint8Array(rows.buffer));
    if (!deep) return;
    for (const [index, name] of listed.names.entries()) if (listed.isDir(index)) add(joinPath(dir, name), true);
  };
  for (const { dir, deep } of extent) add(dir, deep);
  return { digest: `sha256:${hash.digest('hex')}` as Digest, newest };
}

function keepType(rows: Float64Array, row: number): void {
  const [mode, rdev] = [rows[row + MODE]!, rows[row + RDEV]!];
  rows.fill(0, row, row + STAT_ROW);
  rows[row + MODE] = mode;
  rows[row + RDEV] = rdev;
}

/** The directories of `touched`, which has the parents of all of them, in as few parts as there can be. */
export function extentOf(touched: ReadonlySet<ByteString>, listing: Listing): Extent {
  const parts: ExtentPart[] = [];
  /** Says whether all below `dir` is touched; what it adds then takes the place of what was added for parts of it. */
  const visit = (dir: ByteString): boolean => {
    const at = parts.length;
    let whole = true;
    const listed = listing(dir)!;
    for (const [index, name] of listed.names.entries()) {
      if (!listed.isDir(index)) continue;
      const path = joinPath(dir, name);
      if (!touched.has(path) || !visit(path)) whole = false;
    }
    if (whole) parts.length = at;
    parts.push({ dir, deep: whole });
    return whole;
  };
  if (touched.has('')) visit('');
  return parts;
}
