import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, lstatSync, openSync, readSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import type { Owner } from '../base/linux/recorded-owner.js';
import { ChangeList } from './change-list.js';
import { Inventory, joinName, namesIn } from './inventory.js';
import type { UpperOwners } from './overlay-diff.js';
import { compareEntries } from './same-entry.js';
import { isWhiteout, toTreeEntry } from './tree-entry.js';
import type { Change, TreeEntry } from './types.js';

export interface InventoryDiffOptions extends Cancel {
  /**
   * sha256 (`sha256:…`) of a regular file as it was before. Asked only of a file whose other facts are unchanged, but
   * not its inode and the time of its last change, and whose time has no part of a second.
   */
  readonly digestBefore: (path: ByteString) => string | Promise<string>;
  /** Whose objects are and were, where the disk does not say it. */
  readonly owners?: UpperOwners & { readonly before: (path: ByteString) => Owner | undefined };
  /** Objects that belong to the tree but that this process could not make, so that no inventory has them. */
  readonly unmade?: ReadonlySet<ByteString>;
}

export interface InventoryDiff {
  readonly changes: readonly Change[];
  /** The inventory of the tree as it is now. */
  readonly after: Inventory;
}

/**
 * What changed in a tree that was changed in place, found by comparing it with what it held before: the same changes, in
 * the same order and form, as `diffUpper` tells of an overlay in which the same was done. A directory that was removed
 * and made anew is known by its inode and time of birth; it counts as one that hides what was in it.
 */
export async function diffInventory(
  root: ByteString,
  before: Inventory,
  options: InventoryDiffOptions,
): Promise<InventoryDiff> {
  const at: Walk = { root, before, after: new Inventory(), changes: new ChangeList(root), ...options };
  await walk(at, '', false);
  return { changes: at.changes.finish(), after: at.after };
}

interface Walk extends InventoryDiffOptions {
  readonly root: ByteString;
  readonly before: Inventory;
  readonly after: Inventory;
  readonly changes: ChangeList;
}

/** `anew`: the directory is not the one that was here, or is in one that is not. */
async function walk(at: Walk, dir: ByteString, anew: boolean): Promise<void> {
  at.signal.throwIfAborted();
  const names = namesIn(at.root, dir);
  at.after.open(dir, names);
  const lost = without(namesBefore(at, dir, anew), names);
  let next = 0;
  for (const name of names) {
    for (; next < lost.length && lost[next]! < name; next++) at.changes.remove(joinName(dir, lost[next]!));
    await visit(at, joinName(dir, name), anew);
  }
  for (; next < lost.length; next++) at.changes.remove(joinName(dir, lost[next]!));
}

async function visit(at: Walk, path: ByteString, inAnew: boolean): Promise<void> {
  const fullPath = `${at.root}/${path}`;
  const stat = lstatSync(toFsPath(fullPath), { bigint: true });
  at.after.note(at.root, path, stat, at.before);
  if (!stat.isDirectory() && !inAnew && at.before.isProven(path, stat)) return;
  const below = entryBefore(at, path);
  if (isWhiteout(stat)) {
    if (below) at.changes.remove(path);
    return;
  }
  const onDisk = toTreeEntry(stat, fullPath, path);
  if (!onDisk) return;
  const entry = at.owners ? { ...onDisk, ...(await at.owners.ownerOf(onDisk, fullPath)) } : onDisk;
  const same = below !== undefined && (await isSame(at, below, entry, stat));
  const { count } = at.changes;
  if (!same) at.changes.add(entry);
  else if (inAnew) at.changes.keep(entry);
  if (entry.type === 'dir') {
    const was = at.before.facts(path);
    const isThatOne = was?.ino === BigInt.asIntN(64, stat.ino) && was.birthtimeNs === stat.birthtimeNs;
    if (at.owners) at.changes.enter(entry);
    await walk(at, path, below?.type === 'dir' && (inAnew || !isThatOne));
  }
  if (same && at.changes.count === count && at.before.isTouched(path, stat)) at.owners?.unchanged(entry, below);
}

function entryBefore(at: Walk, path: ByteString): Omit<TreeEntry, 'inode'> | undefined {
  const entry = at.before.entry(path);
  return entry && at.owners ? { ...entry, ...at.owners.before(path) } : entry;
}

/** A socket is in no layer, so that its loss is none. With a directory all is gone, also what could not be made. */
function namesBefore(at: Walk, dir: ByteString, anew: boolean): readonly ByteString[] {
  const names = at.before.list(dir) ?? [];
  const { unmade } = at;
  if (!anew) return names.filter((name) => at.before.entry(joinName(dir, name)));
  if (!unmade) return names;
  const prefix = dir === '' ? '' : `${dir}/`;
  const here = [...unmade].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  return [...names, ...here.filter((name) => !name.includes('/'))].sort();
}

async function isSame(
  at: Walk,
  below: Omit<TreeEntry, 'inode'>,
  entry: TreeEntry,
  stat: BigIntStats,
): Promise<boolean> {
  const judged = compareEntries(below, entry);
  if (judged !== 'by content') return judged === 'same';
  if (at.before.isProven(entry.path, stat)) return true;
  return (await at.digestBefore(entry.path)) === digestOfFile(`${at.root}/${entry.path}`);
}

const CHUNK = 256 * 1024;

function digestOfFile(file: ByteString): string {
  const fd = openSync(toFsPath(file), 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (let n = readSync(fd, buffer); n > 0; n = readSync(fd, buffer)) hash.update(buffer.subarray(0, n));
    return `sha256:${hash.digest('hex')}`;
  } finally {
    closeSync(fd);
  }
}

function without(names: readonly ByteString[], present: readonly ByteString[]): readonly ByteString[] {
  const here = new Set(present);
  return names.filter((name) => !here.has(name));
}
