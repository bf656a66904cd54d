import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { digestOf, type DiffId } from '../oci/digest.js';
import type { BlobUpload } from '../registry/types.js';
import type { LayerFact } from '../store/refs.js';
import { Store } from '../store/store.js';
import { MemoryContent } from '../transfer/memory-content.fixture.js';
import type { CompressionOptions } from './layer-form.js';
import { pushLayers, type LayerSink } from './push-layers.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-push-layers-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const { signal } = new AbortController();
const job: JobContext = { signal, emit: () => undefined, now: () => 0, session: { contexts: new Map() } };
const { store, lease } = await Store.open(path.join(base, 'store'), { signal });
afterAll(() => lease.release());
const gzip: CompressionOptions = { type: 'gzip', level: 6, force: false, mediaTypes: 'oci' };

/** A layer of a few blocks that no other test has. */
async function newLayer(size = 3_000_000): Promise<LayerFact & { readonly tar: Buffer }> {
  const tar = Buffer.concat([Buffer.alloc(size, 'a layer '), randomBytes(1000)]);
  const digest = await store.blobs.putBytes(tar);
  return { diffId: digest as string as DiffId, blob: { mediaType: mediaTypes.layer, digest, size: tar.length }, tar };
}

type Fault = 'at the beginning' | 'while it is written' | 'at the end' | 'by a bug';

/** A repository in memory. */
class MemoryRepository extends MemoryContent implements LayerSink {
  readonly uploads: ('open' | 'committed' | 'abandoned')[] = [];
  fault: Fault | undefined;
  onWrite: (bytes: number) => Promise<void> = async () => undefined;

  async upload(): Promise<BlobUpload> {
    this.#failIf('at the beginning');
    const chunks: Uint8Array[] = [];
    const id = this.uploads.push('open') - 1;
    const end = (how: 'committed' | 'abandoned'): void => {
      expect(this.uploads[id]).toBe('open');
      this.uploads[id] = how;
    };
    return {
      write: async (chunk) => {
        await this.onWrite(chunk.length);
        if (this.fault === 'by a bug') throw new TypeError('not a failure of the registry');
        this.#failIf('while it is written');
        chunks.push(chunk);
      },
      commit: async ({ digest, size }) => {
        if (this.fault === 'at the end') end('abandoned');
        this.#failIf('at the end');
        const bytes = Buffer.concat(chunks);
        expect([digestOf(bytes), bytes.length]).toEqual([digest, size]);
        this.blobs.set(digest, bytes);
        end('committed');
      },
      abandon: async () => end('abandoned'),
    };
  }

  #failIf(fault: Fault): void {
    if (this.fault === fault) throw new BuildError('REGISTRY_FAILED', `it failed ${fault}`);
  }

  of(kind: 'has' | 'put', { digest }: Descriptor): number {
    return this.asked.filter((one) => one === `${kind} ${digest}`).length;
  }
}

test('a layer is compressed once, into the store and every repository', async () => {
  const layer = await newLayer();
  const sinks = [new MemoryRepository(), new MemoryRepository()];
  const [descriptor, again] = await pushLayers([layer, layer], gzip, store, sinks, job);
  expect(again).toEqual(descriptor);
  expect(descriptor!.mediaType).toBe(mediaTypes.layerGzip);
  expect(await store.blobs.has(descriptor!, job)).toBe(true);
  for (const sink of sinks) {
    expect(gunzipSync(sink.blobs.get(descriptor!.digest)!).equals(layer.tar)).toBe(true);
    expect(sink.uploads).toEqual(['committed']);
    expect(sink.of('put', descriptor!)).toBe(0);
  }
});

test('a known form is put from the store where it is lacking, and nothing is compressed', async () => {
  const layer = await newLayer();
  const [first, second] = [new MemoryRepository(), new MemoryRepository()];
  const [descriptor] = await pushLayers([layer], gzip, store, [first], job);
  expect(await pushLayers([layer], gzip, store, [first, second], job)).toEqual([descriptor]);
  expect([first.of('put', descriptor!), second.of('put', descriptor!)]).toEqual([0, 1]);
  expect(first.uploads.length + second.uploads.length).toBe(1);
});

test('a known form whose blob is gone is taken if the repositories have it, and made anew if one has not', async () => {
  const layer = await newLayer();
  const [first, second] = [new MemoryRepository(), new MemoryRepository()];
  const [descriptor] = await pushLayers([layer], gzip, store, [first], job);
  rmSync(store.blobs.path(descriptor!.digest));
  expect(await pushLayers([layer], gzip, store, [first], job)).toEqual([descriptor]);
  expect(await store.blobs.has(descriptor!, job)).toBe(false);
  await pushLayers([layer], gzip, store, [first, second], job);
  expect(await store.blobs.has(descriptor!, job)).toBe(true);
  expect(second.blobs.has(descriptor!.digest)).toBe(true);
});

test('a layer of a base keeps its blob, and is sent only where it is lacking', async () => {
  const tar = randomBytes(1000);
  const bytes = gzipSync(tar);
  const digest = await store.blobs.putBytes(bytes);
  const diffId = digestOf(tar) as string as DiffId;
  const layer: LayerFact = { diffId, blob: { mediaType: mediaTypes.dockerLayerGzip, digest, size: bytes.length } };
  const expected = { ...layer.blob, mediaType: mediaTypes.layerGzip };
  const [has, lacks] = [new MemoryRepository(), new MemoryRepository()];
  has.add(expected.mediaType, bytes);
  expect(await pushLayers([layer], gzip, store, [has, lacks], job)).toEqual([expected]);
  expect([has.of('put', expected), lacks.of('put', expected)]).toEqual([0, 1]);
  const foreign = {
    ...layer,
    blob: { ...layer.blob, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar' },
  };
  const third = new MemoryRepository();
  expect(await pushLayers([foreign], gzip, store, [third], job)).toEqual([foreign.blob]);
  expect(third.asked).toEqual([]);
});

test.each(['while it is written', 'at the end'] as const)(
  'an upload that fails %s is made good from the store',
  async (fault) => {
    const layer = await newLayer();
    const [good, bad] = [new MemoryRepository(), new MemoryRepository()];
    bad.fault = fault;
    const [descriptor] = await pushLayers([layer], gzip, store, [bad, good], job);
    expect(gunzipSync(bad.blobs.get(descriptor!.digest)!).equals(layer.tar)).toBe(true);
    expect([bad.uploads, bad.of('put', descriptor!)]).toEqual([['abandoned'], 1]);
    expect([good.uploads, good.of('put', descriptor!)]).toEqual([['committed'], 0]);
  },
);

test.each([
  ['at the beginning', { code: 'REGISTRY_FAILED' }],
  ['by a bug', { name: 'TypeError' }],
] as const)('an upload that fails %s fails the push, and no upload stays open', async (fault, error) => {
  const layer = await newLayer();
  const [good, bad] = [new MemoryRepository(), new MemoryRepository()];
  bad.fault = fault;
  await expect(pushLayers([layer], gzip, store, [good, bad], job)).rejects.toMatchObject(error);
  expect(good.uploads).toEqual(['abandoned']);
  expect(bad.uploads).toEqual(fault === 'by a bug' ? ['abandoned'] : []);
  expect(tempFiles()).toEqual([]);
});

test('a layer that is damaged in the store is not pushed', async () => {
  const layer = await newLayer();
  const wrong = { ...layer, blob: { ...layer.blob, size: layer.blob.size - 1 } };
  const sink = new MemoryRepository();
  await expect(pushLayers([wrong], gzip, store, [sink], job)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  expect(sink.uploads).toEqual(['abandoned']);
  expect([sink.blobs.size, tempFiles()]).toEqual([0, []]);
});

test('an abort in the middle ends uploads and leaves no temporary file', async () => {
  const layers = await Promise.all([newLayer(), newLayer(), newLayer()]);
  const stop = new AbortController();
  const sink = new MemoryRepository();
  sink.onWrite = async () => stop.abort(new Error('enough'));
  const pushing = pushLayers(layers, gzip, store, [sink], { ...job, signal: stop.signal });
  await expect(pushing).rejects.toThrow('enough');
  expect(new Set(sink.uploads)).toEqual(new Set(['abandoned']));
  expect(tempFiles()).toEqual([]);
});

test('a repository that takes nothing holds the compression up', async () => {
  const tar = randomBytes(24 << 20);
  const digest = await store.blobs.putBytes(tar);
  const layer = { diffId: digest as string as DiffId, blob: { mediaType: mediaTypes.layer, digest, size: tar.length } };
  let read = 0;
  let time = 0;
  const watched: JobContext = {
    ...job,
    now: () => (time += 1000),
    emit: (event) => {
      if (event.type === 'transfer') read = event.current;
    },
  };
  const sink = new MemoryRepository();
  let go = (): void => undefined;
  let first = true;
  const waiting = new Promise<void>((resolve) => {
    sink.onWrite = async () => {
      if (!first) return;
      first = false;
      resolve();
      await new Promise<void>((resume) => (go = resume));
    };
  });
  const pushing = pushLayers([layer], gzip, store, [sink], watched);
  await waiting;
  for (let before = -1; before !== read;) {
    before = read;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  expect(read).toBeLessThan(tar.length);
  go();
  const [descriptor] = await pushing;
  expect(sink.blobs.get(descriptor!.digest)!.length).toBe(descriptor!.size);
  expect(read).toBe(tar.length);
});

function tempFiles(): string[] {
  return readdirSync(store.paths.temp(store.leaseId));
}
