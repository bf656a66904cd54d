import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import type { JobContext } from '../job/context.js';
import { decompress } from '../layer/compression.js';
import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { digestOf, type DiffId } from '../oci/digest.js';
import type { LayerFact } from '../store/refs.js';
import { Store } from '../store/store.js';
import { compressLayers } from './compress-layers.js';
import type { CompressionOptions } from './layer-form.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-compress-layers-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const { signal } = new AbortController();
const job: JobContext = { signal, emit: () => undefined, now: () => 0, session: { contexts: new Map() } };
const { store, lease } = await Store.open(path.join(dir, 'store'), { signal });
afterAll(() => lease.release());
const hasZstd = spawnSync('zstd', ['--version'], { stdio: 'ignore' }).error === undefined;
const options: CompressionOptions = { type: 'gzip', level: 6, force: false, mediaTypes: 'oci' };

let made = 0;
async function layer(mediaType: string, annotations?: Record<string, string>): Promise<LayerFact> {
  const tar = Buffer.from(`layer ${made++}`);
  const bytes = mediaType.endsWith('gzip') ? gzipSync(tar) : tar;
  const digest = await store.blobs.putBytes(bytes);
  const blob = { mediaType, digest, size: bytes.length, ...(annotations && { annotations }) };
  return { diffId: digestOf(tar) as string as DiffId, blob };
}

async function tarOf(target: Descriptor): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of decompress(store.blobs.open(target, job))) chunks.push(chunk);
  return digestOf(Buffer.concat(chunks));
}

/** What comes of a layer: its media type, and whether it has a blob of its own still. */
async function convert(fact: LayerFact, change: Partial<CompressionOptions>): Promise<[string, 'kept' | 'new']> {
  const [descriptor] = await compressLayers([fact], { ...options, ...change }, store, job);
  expect(await tarOf(descriptor!)).toBe(fact.diffId);
  return [descriptor!.mediaType, descriptor!.digest === fact.blob.digest ? 'kept' : 'new'];
}

test('what was made here gets the form that is asked for, with media types of either family', async () => {
  const plain = await layer(mediaTypes.layer);
  expect(await convert(plain, {})).toEqual([mediaTypes.layerGzip, 'new']);
  expect(await convert(plain, { mediaTypes: 'docker' })).toEqual([mediaTypes.dockerLayerGzip, 'new']);
  expect(await convert(plain, { type: 'uncompressed' })).toEqual([mediaTypes.layer, 'kept']);
  expect(await convert(plain, { type: 'uncompressed', mediaTypes: 'docker' })).toEqual([
    mediaTypes.dockerLayer,
    'kept',
  ]);
});

test.skipIf(!hasZstd)('zstd, with media types of either family (needs zstd where Node.js has none)', async () => {
  const zstd = { type: 'zstd', level: 3 } as const;
  const plain = await layer(mediaTypes.layer);
  expect(await convert(plain, zstd)).toEqual([mediaTypes.layerZstd, 'new']);
  expect(await convert(plain, { ...zstd, mediaTypes: 'docker' })).toEqual([mediaTypes.dockerLayerZstd, 'new']);
  expect(await convert(await layer(mediaTypes.layerGzip), { ...zstd, force: true })).toEqual([
    mediaTypes.layerZstd,
    'new',
  ]);
});

test('a compressed layer of a base keeps its blob unless force asks for another compression', async () => {
  const gzip = await layer(mediaTypes.dockerLayerGzip);
  expect(await convert(gzip, {})).toEqual([mediaTypes.layerGzip, 'kept']);
  expect(await convert(gzip, { mediaTypes: 'docker' })).toEqual([mediaTypes.dockerLayerGzip, 'kept']);
  expect(await convert(gzip, { type: 'uncompressed' })).toEqual([mediaTypes.layerGzip, 'kept']);
  expect(await convert(gzip, { force: true, level: 9 })).toEqual([mediaTypes.layerGzip, 'kept']);
  expect(await convert(gzip, { force: true, type: 'uncompressed' })).toEqual([mediaTypes.layer, 'new']);
});

test('annotations stay with OCI types, and Docker types have none', async () => {
  const annotations = { 'buildkit/rewritten-timestamp': '1' };
  const [plain, gzip] = [await layer(mediaTypes.layer, annotations), await layer(mediaTypes.layerGzip, annotations)];
  const given = async (change: Partial<CompressionOptions>): Promise<readonly unknown[]> =>
    (await compressLayers([plain, gzip], { ...options, ...change }, store, job)).map((one) => one.annotations);
  expect(await given({})).toEqual([annotations, annotations]);
  expect(await given({ type: 'uncompressed', force: true })).toEqual([annotations, annotations]);
  expect(await given({ mediaTypes: 'docker' })).toEqual([undefined, undefined]);
});

test('a remembered form is taken when its blob is there or the sink is said to have it', async () => {
  const plain = await layer(mediaTypes.layer);
  const [first] = await compressLayers([plain], options, store, job);
  rmSync(store.blobs.path(first!.digest));
  const asked: Descriptor[] = [];
  const has = async (target: Descriptor): Promise<boolean> => asked.push(target) > 0;
  expect(await compressLayers([plain], options, store, job, has)).toEqual([first]);
  expect(asked).toEqual([first]);
  expect(await store.blobs.has(first!, job)).toBe(false);
  expect(await compressLayers([plain], options, store, job)).toEqual([first]);
  expect(await store.blobs.has(first!, job)).toBe(true);
});
