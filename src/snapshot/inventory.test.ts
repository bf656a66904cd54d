import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { toFsPath } from '../base/bytes.js';
import { lutimesNs } from '../base/linux/inode.js';
import { takeInventory } from './inventory.js';
import { readTreeEntry } from './tree-entry.js';

const base = mkdtempSync(path.join(tmpdir(), 'slipway-inventory-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };

test('says of every name what the tree says, in byte order', () => {
  mkdirSync(`${base}/d.d/e`, { recursive: true });
  for (const name of ['d.d/z', 'd.d/\xff', 'd.d/e/f']) writeFileSync(toFsPath(`${base}/${name}`), name);
  symlinkSync('../nowhere', `${base}/d.d/l`);
  lutimesNs(`${base}/d.d/z`, 0n, -1_500_000_000n);
  const inventory = takeInventory(base, opts);
  expect(inventory.list('')).toEqual(['d.d']);
  expect(inventory.list('d.d')).toEqual(['e', 'l', 'z', '\xff']);
  expect(inventory.list('d.d/z')).toBe(undefined);
  expect(inventory.entry('d.d/gone')).toBe(undefined);
  for (const name of ['d.d', 'd.d/e', 'd.d/e/f', 'd.d/l', 'd.d/z', 'd.d/\xff']) {
    expect(inventory.entry(name)).toEqual(readTreeEntry(`${base}/${name}`, name));
  }
});

test('what was changed a moment ago could change again with the same time, and proves nothing', async () => {
  const file = `${base}/settling`;
  writeFileSync(file, 'x');
  const proves = (): boolean => takeInventory(base, opts).isProven('settling', statSync(file, { bigint: true }));
  expect(proves()).toBe(false);
  await expect.poll(proves).toBe(true);
});

test('an aborted walk stops', () => {
  expect(() => takeInventory(base, { signal: AbortSignal.abort() })).toThrow();
});
