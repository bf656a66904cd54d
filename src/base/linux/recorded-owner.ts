import type { ByteString } from '../bytes.js';
import { lgetxattr, lremovexattr, lsetxattr } from './xattr.js';

/** Whose a file is. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** overlayfs copies it up, and a rename keeps it; a new file has none. */
const NAME = 'user.slipway.owner';

/** True for the attribute that these functions use: it belongs to a tree, and to no image. */
export function isOwnerRecord(name: string): boolean {
  return name === NAME;
}

/**
 * Records beside a regular file or directory whose it is, where the process may give files to nobody. 0:0 is what has no
 * record. Other types cannot carry one.
 */
export function recordOwner(path: ByteString, { uid, gid }: Owner): void {
  if (uid === 0 && gid === 0) lremovexattr(path, NAME);
  else lsetxattr(path, NAME, Buffer.from(`${uid}:${gid}`));
}

/** The owner recorded beside a file or directory; undefined where there is no record, or what a process wrote as one. */
export function recordedOwner(path: ByteString): Owner | undefined {
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(lgetxattr(path, NAME)?.toString('latin1') ?? '') ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}
