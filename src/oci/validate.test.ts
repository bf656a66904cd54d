import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { BuildError } from '../base/errors.js';
import type { ContentSource } from './content.js';
import { mediaTypes, type Descriptor } from './descriptor.js';
import { digestOf } from './digest.js';
import { validateImage } from './validate.js';

/** Blobs in memory, handed out as they are: what is wrong with them is the validator's to find. */
class Blobs implements ContentSource {
  readonly #blobs = new Map<string, Buffer>();

  put(mediaType: string, content: Buffer | object, as?: Partial<Descriptor>): Descriptor {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length, ...as };
    this.#blobs.set(descriptor.digest, bytes);
    return descriptor;
  }

  readDocument({ digest }: Descriptor): Promise<Buffer> {
    const bytes = this.#blobs.get(digest);
    if (!bytes) return Promise.reject(new BuildError('BLOB_NOT_FOUND', `blob \`${digest}\` is not there`));
    return Promise.resolve(bytes);
  }

  async *open(target: Descriptor): AsyncGenerator<Buffer> {
    yield await this.readDocument(target);
  }
}

const layer = Buffer.from('not a tar, but bytes');
const other = Buffer.from('other bytes');
const goodConfig = {
  os: 'linux',
  architecture: 'amd64',
  created: '2024-01-02T03:04:05.678Z',
  config: { Env: ['A=b'], WorkingDir: '/w', ExposedPorts: { '80/tcp': {}, '53/udp': {} } },
  rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  history: [{ created: '2024-01-02T03:04:05+01:00' }, { empty_layer: true }],
};

interface Parts {
  readonly layer?: Buffer;
  readonly layerType?: string;
  readonly layerAs?: Partial<Descriptor>;
  readonly config?: object;
  readonly configType?: string;
  readonly configAs?: Partial<Descriptor>;
  readonly manifest?: object;
  readonly manifestAs?: Partial<Descriptor>;
}

async function faultsOf(parts: Parts = {}): Promise<readonly string[]> {
  const blobs = new Blobs();
  const layers = [blobs.put(parts.layerType ?? mediaTypes.layer, parts.layer ?? layer, parts.layerAs)];
  const config = blobs.put(parts.configType ?? mediaTypes.config, { ...goodConfig, ...parts.config }, parts.configAs);
  const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers, ...parts.manifest };
  const target = blobs.put(mediaTypes.manifest, document, parts.manifestAs);
  return await validate(blobs, target);
}

async function validate(blobs: Blobs, target: Descriptor): Promise<readonly string[]> {
  return await validateImage(blobs, target, { signal: new AbortController().signal, decompress: gunzipped });
}

async function* gunzipped(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of content) yield chunk[0] === 0x1f ? gunzipSync(chunk) : chunk;
}

test('a sound image has no fault, plain or compressed, by manifest or index', async () => {
  expect(await faultsOf()).toEqual([]);
  expect(await faultsOf({ layer: gzipSync(layer), layerType: mediaTypes.layerGzip })).toEqual([]);
  const blobs = new Blobs();
  const config = blobs.put(mediaTypes.config, goodConfig);
  const document = { schemaVersion: 2, config, layers: [blobs.put(mediaTypes.layer, layer)] };
  const platform = { os: 'linux', architecture: 'amd64' };
  const manifest = blobs.put(mediaTypes.manifest, document, { platform });
  expect(await validate(blobs, blobs.put(mediaTypes.index, { schemaVersion: 2, manifests: [manifest] }))).toEqual([]);
});

test.each<[string, Parts, RegExp]>([
  ['a layer that is not its diffID', { layer: other }, /unpacks to/],
  ['a layer that is not its digest', { layerAs: { digest: digestOf('x') } }, /hashes to/],
  ['a layer of another size', { layerAs: { size: 3 } }, /has 20 bytes instead of 3/],
  ['a config of another size', { configAs: { size: 1 } }, /instead of 1/],
  ['a manifest that is not its digest', { manifestAs: { digest: digestOf('y') } }, /hashes to/],
  [
    'a layer too few',
    { config: { history: [], rootfs: { type: 'layers', diff_ids: [] } } },
    /1 layers, its config 0 diffIDs/,
  ],
  ['a history that tells of more layers', { config: { history: [{}, {}] } }, /the history tells of 2 layers/],
  ['a history with no time', { config: { history: [{ created: 'today' }] } }, /history is no time/],
  ['a wrong time', { config: { created: '2024-13-02T03:04:05Z' } }, /`created` is no time/],
  ['a config that is no config', { config: { os: 7 } }, /is not valid at `os`/],
  ['an empty platform', { config: { os: '' } }, /`os` is empty/],
  ['a variable without a value', { config: { config: { Env: ['A'] } } }, /`Env` has `A`/],
  ['a variable twice', { config: { config: { Env: ['A=1', 'A=2'] } } }, /`Env` has `A` twice/],
  ['a port that is none', { config: { config: { ExposedPorts: { 'http/tcp': {} } } } }, /`ExposedPorts` has/],
  ['a relative working directory', { config: { config: { WorkingDir: 'w' } } }, /not absolute/],
  ['a config of an unknown type', { configType: 'application/json' }, /config of type `application\/json`/],
  ['a layer of Docker in an image of OCI', { layerType: mediaTypes.dockerLayer }, /a layer .* of type/],
  ['a manifest that calls itself otherwise', { manifest: { mediaType: mediaTypes.index } }, /calls itself/],
  ['a manifest of the past', { manifest: { schemaVersion: 1 } }, /is not valid at `schemaVersion`/],
  [
    'another platform than the index says',
    { manifestAs: { platform: { os: 'linux', architecture: 'arm64' } } },
    /is for linux\/amd64/,
  ],
  ['a target that is no image', { manifestAs: { mediaType: 'text/plain' } }, /neither a manifest nor an index/],
])('%s is a fault', async (_, parts, expected) => {
  const faults = await faultsOf(parts);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(expected);
});

test('a blob that is missing is a fault, and the rest is looked at all the same', async () => {
  const blobs = new Blobs();
  const missing = { mediaType: mediaTypes.layer, digest: digestOf('gone'), size: 4 };
  const config = blobs.put(mediaTypes.config, {
    ...goodConfig,
    rootfs: { type: 'layers', diff_ids: [digestOf('gone')] },
    created: 'x',
  });
  const target = blobs.put(mediaTypes.manifest, { schemaVersion: 2, config, layers: [missing] });
  expect(await validate(blobs, target)).toEqual([
    expect.stringContaining('`created` is no time'),
    expect.stringContaining('is not there'),
  ]);
});

test("what is not the image's fault is thrown", async () => {
  const blobs = new Blobs();
  const target = blobs.put(mediaTypes.manifest, goodConfig);
  blobs.readDocument = () => Promise.reject(new Error('the disk is gone'));
  await expect(validate(blobs, target)).rejects.toThrow('the disk is gone');
});
