import { chmodSync, linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fromText } from '../../base/bytes.js';
import { lutimes } from '../../base/linux/inode.js';
import { recordedOwner, recordOwner } from '../../base/linux/recorded-owner.js';
import { digestOf } from '../../oci/digest.js';
import type { Toc, TocEntry } from '../../layer/toc.js';
import { TocView } from '../../layer/toc-view.js';
import { copyTree } from '../../snapshot/copy-tree.js';
import { readTreeEntry } from '../../snapshot/tree-entry.js';
import { LayeredView } from './layered-view.js';
import { RecordedOwners } from './recorded-owners.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-owners-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const at = (name: string): string => path.join(base, name);

const MTIME = 1_600_000_000;
const others = { uid: 1000, gid: 50, mtime: MTIME, size: 0 };
const entries: readonly TocEntry[] = [
  { ...others, path: 'd', type: 'dir', mode: 0o755 },
  { ...others, path: 'd/f', type: 'file', mode: 0o644, size: 1, digest: digestOf('f'), dataOffset: 0 },
  { ...others, path: 'd/link', type: 'symlink', mode: 0o777, linkname: 'f' },
  { ...others, path: 'd/other-link', type: 'symlink', mode: 0o777, linkname: 'g' },
  { ...others, uid: 7, path: 'd/third-link', type: 'symlink', mode: 0o777, linkname: 'g' },
  { ...others, uid: 0, gid: 0, path: 'own', type: 'dir', mode: 0o755 },
  { ...others, path: 'empty', type: 'dir', mode: 0o755 },
  { ...others, path: 'dev', type: 'char', mode: 0o666, devMajor: 1, devMinor: 3 },
];
const toc = { entries, size: 0 } as unknown as Toc;
const lower = new TocView([toc], () => {
  throw new Error('not to be read');
});
const owners = new RecordedOwners(lower, [toc]);
const ownerOf = async (name: string, as = name): Promise<string> => {
  const { uid, gid } = await owners.ownerOf(readTreeEntry(fromText(at(name)), as)!, fromText(at(name)));
  return `${uid}:${gid}`;
};

test('a record goes with its file, and is no attribute of it', () => {
  writeFileSync(at('recorded'), '');
  recordOwner(fromText(at('recorded')), { uid: 1000, gid: 0 });
  renameSync(at('recorded'), at('renamed'));
  expect(recordedOwner(fromText(at('renamed')))).toEqual({ uid: 1000, gid: 0 });
  expect(readTreeEntry(fromText(at('renamed')), 'x')).not.toHaveProperty('xattrs');
  mkdirSync(at('from'));
  renameSync(at('renamed'), at('from/f'));
  mkdirSync(at('to'));
  copyTree(fromText(at('from')), fromText(at('to')), { signal: new AbortController().signal });
  expect(recordedOwner(fromText(at('to/f')))).toEqual({ uid: 1000, gid: 0 });
  recordOwner(fromText(at('to/f')), { uid: 0, gid: 0 });
  expect(recordedOwner(fromText(at('to/f')))).toBeUndefined();
});

test('what is new is 0:0, what was moved is whose it was', async () => {
  writeFileSync(at('new'), 'f');
  expect(await ownerOf('new')).toBe('0:0');
  recordOwner(fromText(at('new')), { uid: 1000, gid: 50 });
  expect(await ownerOf('new')).toBe('1000:50');
  symlinkSync('f', at('moved-link'));
  expect(await ownerOf('moved-link')).toBe('0:0');
  lutimes(fromText(at('moved-link')), MTIME);
  expect(await ownerOf('moved-link')).toBe('1000:50');
  mkdirSync(at('own'));
  expect(await ownerOf('own')).toBe('0:0');
  lutimes(fromText(at('own')), MTIME);
  expect(await ownerOf('own')).toBe('0:0');
});

test('what may be anybody’s is refused', async () => {
  writeFileSync(at('copy'), 'f');
  chmodSync(at('copy'), 0o644);
  expect(await ownerOf('copy')).toBe('0:0');
  lutimes(fromText(at('copy')), MTIME);
  await expect(ownerOf('copy')).rejects.toThrow('`/copy` seems to be a copy of `/d/f` with its owner');
  writeFileSync(at('copy'), 'g');
  lutimes(fromText(at('copy')), MTIME);
  expect(await ownerOf('copy')).toBe('0:0');
  await expect(ownerOf('copy', 'd/f')).rejects.toMatchObject({
    code: 'ISOLATION_UNAVAILABLE',
    message: expect.stringContaining('`/d/f` was replaced or written anew'),
    hint: expect.stringContaining('newuidmap'),
  });
  symlinkSync('g', at('either'));
  lutimes(fromText(at('either')), MTIME);
  await expect(ownerOf('either')).rejects.toThrow('seems to be one of several that were there');
});

test('among directories of one time names decide, those in them and their own', async () => {
  const made = async (name: string, ...names: readonly string[]): Promise<string> => {
    mkdirSync(at(name), { recursive: true });
    for (const one of names) writeFileSync(at(`${name}/${one}`), '');
    lutimes(fromText(at(name)), MTIME);
    return await ownerOf(name);
  };
  expect(await made('copies/own')).toBe('0:0');
  expect(await made('copies/any', 'with', 'names')).toBe('0:0');
  await expect(made('copies/empty')).rejects.toThrow('seems to be a copy of `/empty` with its owner');
  await expect(made('copies/other')).rejects.toThrow('seems to be a copy of `/empty` with its owner');
  await expect(made('copies/d', 'f', 'link', 'other-link', 'third-link')).rejects.toThrow('a copy of `/d`');
});

test('what is as before was touched, but for what its further names and entries explain', () => {
  const below = lower.lstat('d/f')!;
  const entry = (more = {}) => ({ ...others, path: 'd/f', type: 'file', mode: 0o644, ...more }) as const;
  const dir = { ...others, path: 'd', type: 'dir', mode: 0o755 } as const;
  expect(() => owners.unchanged(entry(), below)).toThrow('`/d/f` was touched and is as before');
  expect(() => owners.unchanged(entry({ uid: 0, gid: 0 }), below)).not.toThrow();
  expect(() => owners.unchanged(dir, lower.lstat('d')!)).toThrow('`/d` was touched and is as before');
  expect(() => owners.unchanged({ ...dir, mtime: MTIME + 1 }, lower.lstat('d')!)).not.toThrow();
  expect(() => owners.unchanged(entry({ inode: 3 }), below)).not.toThrow();
  expect(() => owners.unchanged(dir, lower.lstat('d')!)).not.toThrow();
});

test('a tree with its layers has their owners and devices, and its own times and names', () => {
  mkdirSync(at('tree/d'), { recursive: true });
  writeFileSync(at('tree/d/f'), 'f');
  linkSync(at('tree/d/f'), at('tree/d/unknown'));
  const tree = {
    lstat: (name: string) => readTreeEntry(fromText(at(`tree/${name}`)), name),
    list: (name: string) => (name === '' ? ['d'] : ['f', 'unknown']),
    readFile: () => Promise.resolve(undefined),
    open: () => lower.open('d/f'),
  };
  const view = new LayeredView(tree, lower);
  expect(view.lstat('d/f')).toMatchObject({ uid: 1000, gid: 50, inode: expect.anything() });
  expect(view.lstat('d/f')!.mtime).not.toBe(MTIME);
  expect(view.lstat('d/link')).toBeUndefined();
  expect(view.lstat('dev')).toMatchObject({ type: 'char', devMinor: 3 });
  expect(view.list('')).toEqual(['d', 'dev']);
});
