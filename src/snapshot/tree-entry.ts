import { existsSync, lstatSync, readlinkSync, type BigIntStats } from 'node:fs';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { majorOf, minorOf } from '../base/linux/inode.js';
import { isOwnerRecord } from '../base/linux/recorded-owner.js';
import { lgetxattr, llistxattr } from '../base/linux/xattr.js';
import type { FileType, TreeEntry } from './types.js';

const S_IFMT = 0o170000n;
const TYPES: ReadonlyMap<bigint, FileType> = new Map<bigint, FileType>([
  [0o100000n, 'file'],
  [0o040000n, 'dir'],
  [0o120000n, 'symlink'],
  [0o020000n, 'char'],
  [0o060000n, 'block'],
  [0o010000n, 'fifo'],
]);

/**
 * What lies at `fullPath`, under the name `path`, links not followed; undefined when nothing is there or it is a socket,
 * which no archive can hold. Attributes that overlayfs keeps for itself are left out.
 */
export function readTreeEntry(fullPath: ByteString, path: ByteString): TreeEntry | undefined {
  const stat = lstatSync(toFsPath(fullPath), { bigint: true, throwIfNoEntry: false });
  return stat && toTreeEntry(stat, fullPath, path);
}

export function toTreeEntry(stat: BigIntStats, fullPath: ByteString, path: ByteString): TreeEntry | undefined {
  const entry = statEntry(stat, path);
  if (!entry) return undefined;
  const xattrs = readXattrs(fullPath);
  return {
    ...entry,
    ...(entry.type === 'symlink' ? { linkname: readlinkSync(toFsPath(fullPath), 'latin1') } : {}),
    ...(xattrs === undefined ? {} : { xattrs }),
    ...(entry.type !== 'dir' && stat.nlink > 1n ? { inode: `${stat.dev}:${stat.ino}` } : {}),
  };
}

/** What stat(2) alone says of an object: no target of a link, no attributes; undefined for a socket. */
export function statEntry(
  stat: Pick<BigIntStats, 'mode' | 'uid' | 'gid' | 'rdev' | 'size' | 'mtimeNs'>,
  path: ByteString,
): TreeEntry | undefined {
  const type = TYPES.get(stat.mode & S_IFMT);
  if (type === undefined) return undefined;
  const device = type === 'char' || type === 'block' ? Number(stat.rdev) : undefined;
  const nanoseconds = Number(((stat.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
  return {
    path,
    type,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: type === 'file' ? Number(stat.size) : 0,
    mtime: Number((stat.mtimeNs - BigInt(nanoseconds)) / 1_000_000_000n),
    mtimeNanoseconds: nanoseconds,
    ...(device === undefined ? {} : { devMajor: majorOf(device), devMinor: minorOf(device) }),
  };
}

/** A removed name as overlayfs marks it in an upper directory: a character device 0:0. */
export function isWhiteout(stat: Pick<BigIntStats, 'mode' | 'rdev'>): boolean {
  return (stat.mode & S_IFMT) === 0o020000n && stat.rdev === 0n;
}

/** Begins the name of a file that says that another name is gone, where there are such. */
export const WHITEOUT = '.wh.';
const OPAQUE_NAME = '.wh..wh..opq';

/** A directory of an upper tree that hides what is below; see `DiffOptions` for the marks. */
export function isOpaque(fullPath: ByteString, marks: 'overlay' | 'names' = 'overlay'): boolean {
  if (OPAQUE.some((name) => lgetxattr(fullPath, name)?.toString() === 'y')) return true;
  return marks === 'names' && existsSync(toFsPath(`${fullPath}/${OPAQUE_NAME}`));
}

const OPAQUE = ['trusted.overlay.opaque', 'user.overlay.opaque', 'user.fuseoverlayfs.opaque'];

/** Attributes by which overlayfs and fuse-overlayfs tell themselves something. */
const OWN_ATTRIBUTE = /^(?:trusted\.overlay|user\.overlay|user\.fuseoverlayfs)\./;

function readXattrs(fullPath: ByteString): ReadonlyMap<string, Buffer> | undefined {
  let found: Map<string, Buffer> | undefined;
  for (const name of llistxattr(fullPath)) {
    if (OWN_ATTRIBUTE.test(name) || isOwnerRecord(name)) continue;
    const value = lgetxattr(fullPath, name);
    if (value !== undefined) (found ??= new Map()).set(name, value);
  }
  return found;
}
