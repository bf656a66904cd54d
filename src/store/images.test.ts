import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mediaTypes } from '../oci/descriptor.js';
import { parseReference } from '../oci/reference.js';
import { Store } from './store.js';

const root = mkdtempSync(path.join(tmpdir(), 'slipway-images-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };

test('an image that has a name gets no nameless entry; a document that was damaged is mended', async () => {
  const { store, lease } = await Store.open(root, opts);
  const bytes = Buffer.from('{}');
  const digest = await store.blobs.putBytes(bytes);
  const target = { mediaType: mediaTypes.manifest, digest, size: bytes.length };
  await store.images.tag(target, [parseReference('app:1')], opts);
  await store.images.tag(target, [], opts);
  expect((await store.images.list()).map(({ name }) => name)).toEqual(['docker.io/library/app:1']);

  writeFileSync(store.blobs.path(digest), '[]');
  await expect(store.blobs.readDocument(target, opts)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  await store.blobs.putBytes(bytes);
  expect(await store.blobs.readDocument(target, opts)).toEqual(bytes);
  await lease.release();
});
