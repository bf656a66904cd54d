import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test as base } from 'vitest';
import { packLayer } from '../layer/pack.js';
import { mediaTypes } from '../oci/descriptor.js';
import { digestOf, type Digest, type DiffId } from '../oci/digest.js';
import type { LayerFact } from '../store/refs.js';
import { Store } from '../store/store.js';
import { LayerContent } from './layer-content.js';
import type { Progress } from './machine.js';

const never = { signal: new AbortController().signal };
const TEXT = 'some content\n'.repeat(10_000);
const TAR = tarOf('d/f', TEXT);

/** A tar with one file. */
function tarOf(path: string, text: string): Buffer {
  const content = { kind: 'bytes', bytes: Buffer.from(text) } as const;
  const entry = { path, type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, size: content.bytes.length } as const;
  const parts: Buffer[] = [];
  packLayer([{ entry, content }], (bytes) => parts.push(Buffer.from(bytes)));
  return Buffer.concat(parts);
}

const test = base.extend<{ store: Store }>({
  // oxlint-disable-next-line no-empty-pattern
  store: async ({}, use) => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-layer-content-'));
    const { store, lease } = await Store.open(path.join(dir, 'store'), never);
    await use(store);
    await lease.release();
    rmSync(dir, { recursive: true, force: true });
  },
});

/** A compressed layer in the store, which is said to be `tar`. */
async function compressed(store: Store, tar: Buffer, said = tar): Promise<LayerFact> {
  const bytes = gzipSync(tar);
  const digest = await store.blobs.putBytes(bytes);
  return {
    diffId: digestOf(said) as string as DiffId,
    blob: { mediaType: mediaTypes.layerGzip, digest, size: bytes.length },
  };
}

async function read(chunks: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

test('a compressed layer is made plain once, however many ask, and files are read from it', async ({ store }) => {
  const told: Progress[] = [];
  const layers = new LayerContent(store, { onProgress: (one) => told.push(one) });
  const fact = await compressed(store, TAR);
  const plain = await Promise.all([1, 2, 3].map(() => layers.plain(fact, never)));
  expect(plain.map(({ blob }) => blob)).toEqual(
    plain.map(() => ({ mediaType: mediaTypes.layer, digest: fact.diffId, size: TAR.length })),
  );
  expect(told.filter(({ done }) => done)).toHaveLength(1);
  const entry = (await layers.toc(fact, never)).entries.find((one) => one.path === 'd/f')!;
  expect(await read(layers.file(plain[0]!, entry, never))).toBe(TEXT);
  expect(await read(layers.file(fact, entry, never))).toBe(TEXT);
  const later: Progress[] = [];
  const again = new LayerContent(store, { onProgress: (one) => later.push(one) });
  expect(await again.plain(fact, never)).toEqual(plain[0]);
  expect(later).toEqual([]);
});

test('what lies plain is itself', async ({ store }) => {
  const digest = await store.blobs.putBytes(TAR);
  const fact = { diffId: digest as string as DiffId, blob: { mediaType: mediaTypes.layer, digest, size: TAR.length } };
  expect(await new LayerContent(store).plain(fact, never)).toBe(fact);
});

test('a layer whose image says that it is another is not read as that', async ({ store }) => {
  const other = tarOf('secret', 'of another image');
  const known = (await store.blobs.putBytes(other)) as Digest;
  const fact = await compressed(store, TAR, other);
  expect(fact.diffId).toBe(known);
  const layers = new LayerContent(store);
  await expect(layers.plain(fact, never)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
});

test('nothing is left of a layer that is damaged, or whose unpacking was aborted', async ({ store }) => {
  const fact = await compressed(store, TAR);
  const bytes = gzipSync(TAR);
  bytes[bytes.length - 5]! ^= 1;
  writeFileSync(store.blobs.path(fact.blob.digest), bytes);
  const layers = new LayerContent(store);
  await expect(layers.plain(fact, never)).rejects.toMatchObject({
    code: expect.stringMatching(/BLOB_CORRUPT|ARCHIVE_INVALID/),
  });
  const stop = new AbortController();
  const aborted = layers.plain(fact, { signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
  expect(existsSync(store.blobs.path(fact.diffId as string as Digest))).toBe(false);
});

test('the size of a tar is known without its table being read', async ({ store }) => {
  const fact = await compressed(store, TAR);
  const layers = new LayerContent(store);
  expect(await layers.size(fact, never)).toBe(TAR.length);
  const table = store.paths.toc(fact.diffId);
  const [head, ...entries] = readFileSync(table, 'utf8').split('\n');
  writeFileSync(table, [head, ...entries.map(() => 'not read')].join('\n'));
  expect(await new LayerContent(store).size(fact, never)).toBe(TAR.length);
  writeFileSync(table, 'of another version');
  expect(await new LayerContent(store).size(fact, never)).toBe(TAR.length);
});

test('names come without digests, until those are asked for', async ({ store }) => {
  const fact = await compressed(store, tarOf('etc/passwd', 'root:x:0:0'));
  const [file] = (await new LayerContent(store).names(fact, never)).entries;
  expect(file).toMatchObject({ path: 'etc/passwd', size: 10, dataOffset: 512, bytes: Buffer.from('root:x:0:0') });
  expect(file!.digest).toBeUndefined();
  const layers = new LayerContent(store);
  expect((await layers.names(fact, never)).entries).toEqual([file]);
  const digest = digestOf(Buffer.from('root:x:0:0'));
  expect((await layers.toc(fact, never)).entries).toEqual([{ ...file, digest }]);
  // what says more stays
  await new LayerContent(store).read(fact, undefined, { ...never, digests: 'none' });
  expect((await new LayerContent(store).names(fact, never)).entries).toEqual([{ ...file, digest }]);
});

test.each(['all', 'none'] as const)('the diffID is checked, whoever hashes: digests %s', async (digests) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-layer-content-'));
  const { store, lease } = await Store.open(path.join(dir, 'store'), never);
  try {
    for (const size of [10, 2_000_000]) {
      const tar = tarOf('f', randomBytes(size).toString('latin1'));
      const [good, bad] = [await compressed(store, tar), await compressed(store, tar, TAR)];
      const layers = new LayerContent(store);
      expect((await layers.read(good, undefined, { ...never, digests })).diffId).toBe(digestOf(tar));
      const refused = { code: 'IMAGE_INVALID' };
      await expect(layers.read(bad, undefined, { ...never, digests })).rejects.toMatchObject(refused);
      const sink = { entry: () => undefined, data: () => undefined, end: () => undefined };
      await expect(layers.readGrowing(bad, sink, { ...never, digests })).rejects.toMatchObject(refused);
    }
  } finally {
    await lease.release();
    rmSync(dir, { recursive: true, force: true });
  }
});
