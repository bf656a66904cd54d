import {
  appendFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { lutimesNs } from '../base/linux/inode.js';
import { lsetxattr } from '../base/linux/xattr.js';
import { breakLinks } from './break-links.js';
import { takeInventory } from './inventory.js';
import { readTreeEntry } from './tree-entry.js';

const base = mkdtempSync(path.join(tmpdir(), 'slipway-links-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };
const at = (name: string): string => path.join(base, name);

test('every name gets a file of its own, and all else stays', () => {
  mkdirSync(at('d'));
  writeFileSync(at('a'), 'content', { mode: 0o640 });
  lsetxattr(at('a'), 'user.x', Buffer.from('1'));
  symlinkSync('target', at('s'));
  for (const [from, to] of [
    ['a', 'd/b'],
    ['a', 'd/c'],
    ['s', 'd/s'],
  ] as const) {
    linkSync(at(from), at(to));
  }
  for (const name of ['a', 's', 'd']) lutimesNs(at(name), 0n, 1_000_000_000_250_000_000n);
  const names = ['a', 's', 'd', 'd/b', 'd/c', 'd/s'];
  const shown = (): unknown => names.map((name) => ({ ...readTreeEntry(at(name), name), inode: undefined }));
  const before = shown();
  const inventory = takeInventory(base, opts);
  expect(inventory.linked()).toEqual([
    ['a', 'd/b', 'd/c'],
    ['s', 'd/s'],
  ]);
  breakLinks(base, inventory, opts);
  expect(shown()).toEqual(before);
  expect(inventory.linked()).toEqual([]);
  const inodes = names.map((name) => lstatSync(at(name), { bigint: true }).ino);
  expect(names.map((name) => inventory.facts(name)?.ino)).toEqual(inodes);
  expect(new Set(inodes).size).toBe(6);
  appendFileSync(at('a'), ' changed');
  expect(readFileSync(at('d/b'), 'utf8')).toBe('content');
});
