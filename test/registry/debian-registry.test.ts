import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { mediaTypes, type Descriptor } from '../../src/oci/descriptor.js';
import { anonymous } from '../../src/registry/credentials.js';
import { openRegistries } from '../../src/registry/open-registries.js';
import type { Registries, Repository } from '../../src/registry/types.js';
import { MemoryContent } from '../../src/transfer/memory-content.fixture.js';
import { CuttingRelay } from '../support/cutting-relay.js';
import { TestRegistry } from '../support/registry.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';

const { signal } = new AbortController();
const MiB = 1024 * 1024;
const dir = makeTempDir('debian-registry');
const content = new MemoryContent();
const layer = content.add(mediaTypes.layer, randomBytes(24 * MiB));
const config = content.add(mediaTypes.config, '{"architecture":"amd64","os":"linux"}');
let registry: TestRegistry;
let relay: CuttingRelay;
let registries: Registries;

beforeAll(async () => {
  registry = await TestRegistry.start(path.join(dir, 'registry'));
});
afterAll(async () => {
  await registry.stop();
  removeTempDir(dir);
});

beforeEach(async () => {
  relay = await CuttingRelay.start(registry.port);
  registries = await openRegistries({}, { credentials: anonymous, timing: { delayMs: 20 } });
  await registry.takeRequests();
});
afterEach(async () => {
  await registries.close();
  await relay[Symbol.asyncDispose]();
});

function repository(name: string, use: 'pull' | 'push' = 'push', origins: readonly string[] = []): Repository {
  return registries.repository({ registry: relay.host, repository: name }, { use, origins: async () => origins });
}

async function read(from: Repository, target: Descriptor): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of from.open(target, { signal })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('an upload that is cut comes to its end all the same', async () => {
  relay.cuts.push({ direction: 'up', after: 9 * MiB }, { direction: 'up', after: 7 * MiB });
  await repository('cut/up').put(layer, content, { signal });
  expect(registry.blob(layer.digest).equals(content.blobs.get(layer.digest)!)).toBe(true);
  const requests = await registry.takeRequests();
  // This registry does not let what was cut be taken up, so it is sent anew.
  expect(requests.filter(({ method, status }) => method === 'PUT' && status === 201)).toHaveLength(1);
});

test('a download that is cut is taken up by Range', async () => {
  await repository('cut/down').put(layer, content, { signal });
  relay.cuts.push({ direction: 'down', after: 9 * MiB }, { direction: 'down', after: 7 * MiB });
  const bytes = await read(repository('cut/down', 'pull'), layer);
  expect(bytes.equals(content.blobs.get(layer.digest)!)).toBe(true);
  const requests = await registry.takeRequests();
  const statuses = requests.filter(({ method }) => method === 'GET').map(({ status }) => status);
  expect(statuses).toEqual([200, 206, 206]);
});

test('a blob goes up in chunks, or while it is made', async () => {
  const chunked = await openRegistries(
    {},
    {
      credentials: anonymous,
      timing: { delayMs: 20 },
      sizes: { smallBytes: MiB, chunkBytes: 5 * MiB, fewestBytes: MiB },
    },
  );
  try {
    const options = { use: 'push' } as const;
    const to = chunked.repository({ registry: relay.host, repository: 'in/chunks' }, options);
    relay.cuts.push({ direction: 'up', after: 2 * MiB }, { direction: 'up', after: 2 * MiB });
    await to.put(content.add(mediaTypes.layer, randomBytes(12 * MiB)), content, { signal });
    const requests = await registry.takeRequests();
    expect(requests.filter(({ method, status }) => method === 'PATCH' && status === 202)).toHaveLength(3);
  } finally {
    await chunked.close();
  }
  const other = content.add(mediaTypes.layer, randomBytes(3 * MiB));
  const upload = await repository('in/one').upload({ signal });
  const bytes = content.blobs.get(other.digest)!;
  for (let at = 0; at < bytes.length; at += MiB) await upload.write(bytes.subarray(at, at + MiB));
  await upload.commit(other);
  expect(registry.blob(other.digest).equals(bytes)).toBe(true);
});

test('blobs are mounted, and a tag stands in for lists of referrers', async () => {
  await repository('origin/app').put(layer, content, { signal });
  await registry.takeRequests();
  const to = repository('other/app', 'push', ['origin/nothing', 'origin/app']);
  await to.put(layer, content, { signal });
  const requests = await registry.takeRequests();
  expect(requests.map(({ method, status }) => `${method} ${status}`)).toEqual([
    'HEAD 404',
    'POST 202',
    'POST 201',
    'DELETE 204',
  ]);
  await to.put(config, content, { signal });
  const manifest = content.addManifest(config, [layer]);
  await to.put(manifest, content, { signal });
  await to.tag(manifest, 'v1', content, { signal });
  expect(await repository('other/app', 'pull').resolve({ tag: 'v1' }, { signal })).toEqual(manifest);
  const sbom = content.addManifest(config, [], { artifactType: 'application/vnd.test.sbom', subject: manifest });
  await to.put(sbom, content, { signal });
  expect(await to.referrers(manifest.digest, { signal })).toEqual([
    { ...sbom, artifactType: 'application/vnd.test.sbom' },
  ]);
});
