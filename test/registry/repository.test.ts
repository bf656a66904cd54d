import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mediaTypes, type Descriptor } from '../../src/oci/descriptor.js';
import { anonymous } from '../../src/registry/credentials.js';
import { openRegistries, type RegistriesOptions } from '../../src/registry/open-registries.js';
import type { Registries, Repository, RepositoryOptions } from '../../src/registry/types.js';
import { MemoryContent } from '../../src/transfer/memory-content.fixture.js';
import { FakeRegistry, type FakeRegistryOptions } from '../support/fake-registry.js';

const { signal } = new AbortController();
const content = new MemoryContent();
const closing: { close(): Promise<void> }[] = [];
let fake: FakeRegistry;
let registries: Registries;

beforeEach(async () => {
  fake = await start();
  registries = await open();
});

afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close();
});

async function start(options?: FakeRegistryOptions): Promise<FakeRegistry> {
  const one = await FakeRegistry.start(options);
  closing.push(one);
  return one;
}

async function open(options: RegistriesOptions = {}): Promise<Registries> {
  const one = await openRegistries(
    {},
    {
      credentials: anonymous,
      timing: { tries: 3, delayMs: 1, maxDelayMs: 5 },
      sizes: { smallBytes: 1000, chunkBytes: 40_000, fewestBytes: 500 },
      ...options,
    },
  );
  closing.push(one);
  return one;
}

function repository(options: Partial<RepositoryOptions> = {}, name = 'acme/app', at = fake): Repository {
  return registries.repository({ registry: at.host, repository: name }, { use: 'push', ...options });
}

async function read(from: Repository, target: Descriptor): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of from.open(target, { signal })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function image(): { manifest: Descriptor; blobs: Descriptor[] } {
  const config = content.add(
    mediaTypes.config,
    `{"architecture":"amd64","os":"linux","n":"${randomBytes(4).toString('hex')}"}`,
  );
  const layer = content.add(mediaTypes.layerGzip, randomBytes(100_000));
  return { manifest: content.addManifest(config, [layer]), blobs: [config, layer] };
}

function bytesOf({ digest }: Descriptor): Buffer {
  return content.blobs.get(digest)!;
}

test('what was pushed is resolved, listed as there, and read back', async () => {
  const { manifest, blobs } = image();
  const to = repository();
  for (const one of [...blobs, manifest]) {
    expect(await to.has(one, { signal })).toBe(false);
    await to.put(one, content, { signal });
    expect(await to.has(one, { signal })).toBe(true);
  }
  await to.tag(manifest, 'v1', content, { signal });
  const from = repository({ use: 'pull' });
  expect(await from.resolve({ tag: 'v1' }, { signal })).toEqual(manifest);
  expect(await from.resolve({ digest: manifest.digest }, { signal })).toEqual(manifest);
  for (const one of [...blobs, manifest]) expect((await read(from, one)).equals(bytesOf(one))).toBe(true);
  expect((await from.readDocument(manifest, { signal })).equals(bytesOf(manifest))).toBe(true);
  expect(fake.openUploads).toBe(0);
});

test('of what is there nothing is sent', async () => {
  const { manifest, blobs } = image();
  for (const one of [...blobs, manifest]) await repository().put(one, content, { signal });
  fake.requests.length = 0;
  for (const one of [...blobs, manifest]) await repository().put(one, content, { signal });
  expect(fake.requests.map(({ method }) => method)).toEqual(['HEAD', 'HEAD', 'HEAD']);
});
