import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { compareBytes, fromBytes, toFsPath } from '../../base/bytes.js';
import { majorOf, minorOf } from '../../base/linux/inode.js';
import { lgetxattr, llistxattr } from '../../base/linux/xattr.js';
import { joinPath } from '../entry-path.js';
import type { RefView, ViewEntry } from '../ref-view.js';

/** What two trees must agree on, one line of JSON for each path. */
export function describeTree(root: string): string[] {
  const lines: string[] = [];
  const inodes = new Map<number, string>();
  walk(root, '', (path, stat) => {
    const full = joinPath(root, path);
    const first = stat.isDirectory() || stat.nlink === 1 ? undefined : inodes.get(stat.ino);
    if (first === undefined) inodes.set(stat.ino, path);
    const xattrs = llistxattr(full)
      .filter((name) => !/^(security\.selinux|(trusted|user)\.overlay\.)/.test(name))
      .map((name) => [name, lgetxattr(full, name)!.toString('hex')] as const);
    const isDevice = stat.isCharacterDevice() || stat.isBlockDevice();
    lines.push(
      line(path, {
        type: typeOf(stat),
        mode: stat.isSymbolicLink() ? 0o777 : stat.mode & 0o7777,
        uid: stat.uid,
        gid: stat.gid,
        mtime: Math.floor(stat.mtimeMs / 1000),
        target: stat.isSymbolicLink() ? fromBytes(readlinkSync(toFsPath(full), 'buffer')) : undefined,
        device: isDevice ? [majorOf(stat.rdev), minorOf(stat.rdev)] : undefined,
        content: stat.isFile()
          ? createHash('sha256')
              .update(readFileSync(toFsPath(full)))
              .digest('hex')
          : undefined,
        xattrs,
        sameAs: first,
      }),
    );
  });
  return lines;
}

/** The same of a view. `hasLinks`: tell which names are of one file. */
export function describeView(view: RefView): string[] {
  const lines: string[] = [];
  const inodes = new Map<number | string, string>();
  const visit = (path: string): void => {
    const entry = view.lstat(path)!;
    const first = entry.inode === undefined ? undefined : inodes.get(entry.inode);
    if (entry.inode !== undefined && first === undefined) inodes.set(entry.inode, path);
    const isDevice = entry.type === 'char' || entry.type === 'block';
    lines.push(
      line(path, {
        type: entry.type,
        mode: entry.type === 'symlink' ? 0o777 : entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: entry.mtime,
        target: entry.type === 'symlink' ? entry.linkname : undefined,
        device: isDevice ? [entry.devMajor!, entry.devMinor!] : undefined,
        content: entry.type === 'file' ? String(view.contentDigest!(path)).slice('sha256:'.length) : undefined,
        xattrs: [...(entry.xattrs ?? [])].map(([key, value]) => [key, value.toString('hex')] as const),
        sameAs: first,
      }),
    );
    for (const name of view.list(path) ?? []) visit(joinPath(path, name));
  };
  visit('');
  return lines;
}

interface Facts {
  readonly type: ViewEntry['type'];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly target: string | undefined;
  readonly device: readonly number[] | undefined;
  readonly content: string | undefined;
  readonly xattrs: readonly (readonly [string, string])[];
  readonly sameAs: string | undefined;
}

/** The root's own time and mode are the caller's business. */
function line(path: string, facts: Facts): string {
  if (path === '') return 'root';
  const xattrs = [...facts.xattrs].sort(([a], [b]) => compareBytes(a, b));
  return JSON.stringify({ path, ...facts, xattrs });
}

function walk(root: string, path: string, visit: (path: string, stat: Stats) => void): void {
  const full = toFsPath(joinPath(root, path));
  const stat = lstatSync(full);
  visit(path, stat);
  if (!stat.isDirectory()) return;
  const names = readdirSync(full, { encoding: 'buffer' }).map((name) => fromBytes(name));
  for (const name of names.sort(compareBytes)) walk(root, joinPath(path, name), visit);
}

function typeOf(stat: Stats): ViewEntry['type'] {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'dir';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return 'fifo';
}
