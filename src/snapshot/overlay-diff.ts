import { lstatSync, readdirSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import type { Owner } from '../base/linux/recorded-owner.js';
import { lgetxattr } from '../base/linux/xattr.js';
import { ChangeList } from './change-list.js';
import { sameEntry } from './same-entry.js';
import { isOpaque, isWhiteout, toTreeEntry, WHITEOUT } from './tree-entry.js';
import type { Change, LowerView, TreeEntry } from './types.js';

export interface DiffOptions extends Cancel {
  /**
   * What says that a name of below is gone. 'overlay', the default: overlayfs's own marks. 'names': also `.wh.NAME` and
   * `.wh..wh..opq`, as fuse-overlayfs writes where it may not make devices or set attributes; no other name begins so.
   */
  readonly marks?: 'overlay' | 'names';
  /** Whose the objects of the upper tree are, where the disk does not say it. */
  readonly owners?: UpperOwners;
}

/** Tells the owners of the objects of an upper tree. Throws ISOLATION_UNAVAILABLE for what nobody can tell. */
export interface UpperOwners {
  ownerOf(entry: TreeEntry, fullPath: ByteString): Owner | Promise<Owner>;
  /** Of an object that came out as it was below; a directory only if nothing in it changed either. */
  unchanged(entry: TreeEntry, below: Omit<TreeEntry, 'inode'>): void;
}

const ON_DISK: UpperOwners = { ownerOf: ({ uid, gid }) => ({ uid, gid }), unchanged: () => undefined };

/**
 * What the upper directory of an overlay changes against what lies below, in the order and form of a layer: a walk of
 * the tree with names as bytes; every change after the directories above it, as they are now; a removal at the place of
 * the lost name; the first name of a file with several holds the content. Copied-up objects that are as below
 * are left out, directories too unless something in them changed. Sockets are left out.
 *
 * `lower` should say nanoseconds (`TreeView` does): without them a file rewritten within the same second to
 * the same size and content counts as unchanged.
 */
export async function diffUpper(
  upper: ByteString,
  lower: LowerView,
  { signal, marks = 'overlay', owners = ON_DISK }: DiffOptions,
): Promise<readonly Change[]> {
  const changes = new ChangeList(upper);
  await walk({ upper, lower, signal, changes, marks, owners }, '', false);
  return changes.finish();
}

interface Walk extends Required<DiffOptions> {
  readonly upper: ByteString;
  readonly lower: LowerView;
  readonly changes: ChangeList;
}

/** In an opaque directory names of below are gone unless they are here again; elsewhere a whiteout says so. */
async function walk(at: Walk, dir: ByteString, opaque: boolean): Promise<void> {
  at.signal.throwIfAborted();
  const { present, removed } = namesIn(at, dir);
  const lost = (opaque ? without(at.lower.list(dir) ?? [], present) : without(removed, present)).toSorted();
  let next = 0;
  for (const name of present) {
    for (; next < lost.length && (lost[next] as string) < name; next++) remove(at, join(dir, lost[next] as string));
    await visit(at, join(dir, name), opaque);
  }
  for (; next < lost.length; next++) remove(at, join(dir, lost[next] as string));
}

/** The names that a directory has, and those that names in it say are gone. */
function namesIn({ upper, marks }: Walk, dir: ByteString): Record<'present' | 'removed', readonly ByteString[]> {
  const names = readdirSync(toFsPath(under(upper, dir)), 'latin1').sort();
  if (marks === 'overlay') return { present: names, removed: [] };
  const isMark = (name: ByteString): boolean => name.startsWith(WHITEOUT);
  const removed = names.filter(isMark).map((name) => name.slice(WHITEOUT.length));
  return { present: names.filter((name) => !isMark(name)), removed };
}

function remove({ changes, lower }: Walk, path: ByteString): void {
  if (lower.lstat(path)) changes.remove(path);
}

async function visit(at: Walk, path: ByteString, inOpaque: boolean): Promise<void> {
  const fullPath = under(at.upper, path);
  const stat = lstatSync(toFsPath(fullPath), { bigint: true });
  const below = at.lower.lstat(path);
  if (isWhiteout(stat)) {
    if (below) at.changes.remove(path);
    return;
  }
  const onDisk = toTreeEntry(stat, fullPath, path);
  if (!onDisk) return;
  const entry = { ...onDisk, ...(await at.owners.ownerOf(onDisk, fullPath)) };
  const isSame = below !== undefined && (await sameEntry(below, entry, at.lower, fullPath));
  const { count } = at.changes;
  if (!isSame) at.changes.add(entry);
  else if (inOpaque) at.changes.keep(entry);
  if (entry.type === 'dir') {
    refuseRedirect(fullPath);
    at.changes.enter(entry);
    // Below an opaque directory nothing shows through, whether or not the directories in it are marked as well.
    await walk(at, path, below?.type === 'dir' && (inOpaque || isOpaque(fullPath, at.marks)));
  }
  if (isSame && at.changes.count === count) at.owners.unchanged(entry, below);
}

function refuseRedirect(fullPath: ByteString): void {
  for (const name of ['trusted.overlay.redirect', 'user.overlay.redirect']) {
    if (lgetxattr(fullPath, name)) throw new Error('an upper directory with redirects cannot be read by itself');
  }
}

function without(names: readonly ByteString[], present: readonly ByteString[]): readonly ByteString[] {
  const here = new Set(present);
  return names.filter((name) => !here.has(name));
}

function join(dir: ByteString, name: ByteString): ByteString {
  return dir === '' ? name : `${dir}/${name}`;
}

function under(root: ByteString, path: ByteString): ByteString {
  return path === '' ? root : `${root}/${path}`;
}
