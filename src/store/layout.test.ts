import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mkfifo } from '../base/linux/inode.js';
import { mediaTypes } from '../oci/descriptor.js';
import { digestOf, hexOf } from '../oci/digest.js';
import { ImageLayout } from './layout.js';
import { Store } from './store.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-layout-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const dir = path.join(base, 'layout');
mkdirSync(path.join(dir, 'blobs/sha256'), { recursive: true });
const layout = new ImageLayout(dir);
const opts = { signal: new AbortController().signal };
const digest = digestOf(Buffer.from('x'));
const target = { mediaType: mediaTypes.layer, digest, size: 1 };

test('a pipe in a layout of others is refused, where opening it would block', async () => {
  const refused = expect.objectContaining({ code: 'IMAGE_INVALID', message: expect.stringContaining('regular file') });
  mkfifo(layout.path(digest), 0o644);
  mkfifo(path.join(dir, 'index.json'), 0o644);
  const { store, lease } = await Store.open(path.join(base, 'store'), opts);
  await expect(store.blobs.copyIn(layout.path(digest), target, opts)).rejects.toEqual(refused);
  await expect(layout.resolve({})).rejects.toEqual(refused);
  await expect(layout.readDocument(target, opts)).rejects.toEqual(refused);
  await expect(layout.open(target, opts)[Symbol.asyncIterator]().next()).rejects.toEqual(refused);
  expect(await store.blobs.size(digest)).toBeUndefined();
  await lease.release();
});

test('a blob is taken in and read; a missing one is named', async () => {
  rmSync(layout.path(digest), { force: true });
  const { store, lease } = await Store.open(path.join(base, 'store'), opts);
  await expect(store.blobs.copyIn(layout.path(digest), target, opts)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  writeFileSync(layout.path(digest), 'x');
  await store.blobs.copyIn(layout.path(digest), target, opts);
  expect(readdirSync(path.join(store.paths.root, 'blobs/sha256'))).toEqual([hexOf(digest)]);
  expect((await layout.readDocument(target, opts)).toString()).toBe('x');
  await lease.release();
});
