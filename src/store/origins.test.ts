import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { digestOf } from '../oci/digest.js';
import { Origins } from './origins.js';
import { Store } from './store.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'slipway-origins-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('the latest repositories of a registry that had a blob are remembered, and no more than some', async () => {
  const { store, lease } = await Store.open(root, { signal: new AbortController().signal });
  const origins = new Origins(store.records);
  const digest = digestOf('blob');
  expect(await origins.of(digest, 'r:5000')).toEqual([]);
  for (const repository of ['a', 'b', 'a']) await origins.remember(digest, { registry: 'r:5000', repository });
  await origins.remember(digest, { registry: 'other', repository: 'c' });
  expect(await origins.of(digest, 'r:5000')).toEqual(['a', 'b']);
  expect(await origins.of(digest, 'other')).toEqual(['c']);
  for (let i = 0; i < 20; i++) await origins.remember(digest, { registry: 'r:5000', repository: `n${i}` });
  expect(await origins.of(digest, 'r:5000')).toHaveLength(8);
  expect(await origins.of(digest, 'other')).toEqual([]);
  await lease.release();
});
