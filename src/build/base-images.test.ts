import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { digestOf, hexOf } from '../oci/digest.js';
import { parseReference } from '../oci/reference.js';
import { verified } from '../oci/verified.js';
import type { Registries, Repository } from '../registry/types.js';
import { Store, type OpenStore } from '../store/store.js';
import { BaseImages } from './base-images.js';

const linux = { os: 'linux', architecture: 'amd64' };
const { signal } = new AbortController();
const job: JobContext = { signal, emit: () => undefined, now: () => 0, session: { contexts: new Map() } };

/** One repository in memory, which notes what it is asked. */
class Remote {
  readonly asked: string[] = [];
  readonly blobs = new Map<string, Buffer>();
  readonly tags = new Map<string, Descriptor>();
  isUp = true;

  add(mediaType: string, content: Buffer | object): Descriptor {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const target = { mediaType, digest: digestOf(bytes), size: bytes.length };
    this.blobs.set(target.digest, bytes);
    return target;
  }

  image(tag: string, ...layers: readonly string[]): Descriptor {
    const blobs = layers.map((text) => this.add(mediaTypes.layer, Buffer.from(text)));
    const config = this.add(mediaTypes.config, {
      ...linux,
      rootfs: { type: 'layers', diff_ids: blobs.map((one) => one.digest) },
    });
    const manifest = this.add(mediaTypes.manifest, { schemaVersion: 2, config, layers: blobs });
    this.tags.set(tag, manifest);
    return manifest;
  }

  get registries(): { get(): Promise<Registries> } {
    const read = ({ digest }: Descriptor): Buffer => {
      if (!this.isUp) throw new BuildError('REGISTRY_FAILED', 'the registry is down');
      this.asked.push(digest);
      return this.blobs.get(digest)!;
    };
    const repository = {
      resolve: ({ tag, digest }: { tag?: string; digest?: string }) => {
        if (!this.isUp) return Promise.reject(new BuildError('REGISTRY_FAILED', 'the registry is down'));
        const found = digest ? [...this.tags.values()].find((one) => one.digest === digest) : this.tags.get(tag!);
        this.asked.push(`resolve ${digest ?? tag}`);
        return found ? Promise.resolve(found) : Promise.reject(new BuildError('IMAGE_NOT_FOUND', 'nothing there'));
      },
      readDocument: async (target: Descriptor) => read(target),
      open: (target: Descriptor) =>
        verified(
          (async function* () {
            yield read(target);
          })(),
          target,
        ),
    } as unknown as Repository;
    const nothing = (): Promise<void> => Promise.resolve();
    return { get: () => Promise.resolve({ repository: () => repository, prepare: nothing, close: nothing }) };
  }
}

let root: string;
let opened: OpenStore;
let remote: Remote;

beforeEach(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), 'slipway-bases-'));
  opened = await Store.open(root, { signal });
  remote = new Remote();
});
afterEach(async () => {
  await opened.lease.release();
  rmSync(root, { recursive: true, force: true });
});

function bases(pull = false): BaseImages {
  return new BaseImages({ ...opened, registries: remote.registries, pull });
}

test('an image comes from its registry, layers only when they are needed, each once', async () => {
  const manifest = remote.image('1', 'a', 'b', 'a');
  const images = bases();
  const base = await images.resolve('host:5000/app:1', linux, { signal });
  expect(base.source).toBe(`docker-image://host:5000/app:1@${manifest.digest}`);
  expect(remote.asked).toHaveLength(3); // the tag, the manifest, the config
  const ids = await Promise.all([images.ensure(base.source, job, {}), images.ensure(base.source, job, {})]);
  expect(ids[0]).toBe(ids[1]);
  expect(remote.asked.slice(3).sort()).toEqual([digestOf('a'), digestOf('b')].sort());
  expect(await opened.store.refs.chain(ids[0]!)).toHaveLength(3);
});

test('what a tag stood for is remembered: no registry is asked again, unless `pull` says so', async () => {
  const first = remote.image('1', 'a');
  await bases().resolve('host:5000/app:1', linux, { signal });
  remote.isUp = false;
  expect((await bases().resolve('host:5000/app:1', linux, { signal })).digest).toBe(first.digest);
  await expect(bases(true).resolve('host:5000/app:1', linux, { signal })).rejects.toMatchObject({
    code: 'REGISTRY_FAILED',
  });
  remote.isUp = true;
  const second = remote.image('1', 'moved');
  expect((await bases().resolve('host:5000/app:1', linux, { signal })).digest).toBe(first.digest);
  expect((await bases(true).resolve('host:5000/app:1', linux, { signal })).digest).toBe(second.digest);
  expect((await bases().resolve('host:5000/app:1', linux, { signal })).digest).toBe(second.digest);
});

test('a digest says the same thing at any time, so that `pull` asks nothing for it', async () => {
  const { digest } = remote.image('1', 'a');
  await bases().resolve(`host:5000/app@${digest}`, linux, { signal });
  remote.isUp = false;
  expect((await bases(true).resolve(`host:5000/app@${digest}`, linux, { signal })).digest).toBe(digest);
});

test('the store goes first; a name that nobody has is not found, whoever says so', async () => {
  const target = remote.image('other', 'a');
  const { blobs, images } = opened.store;
  for (const bytes of remote.blobs.values()) await blobs.putBytes(bytes);
  await images.tag(target, [parseReference('host:5000/app:mine')], { signal });
  expect((await bases().resolve('host:5000/app:mine', linux, { signal })).digest).toBe(target.digest);
  expect(remote.asked).toEqual([]);
  for (const options of [{}, { registries: remote.registries }]) {
    await expect(
      new BaseImages({ ...opened, ...options }).resolve('host:5000/app:none', linux, { signal }),
    ).rejects.toMatchObject({ code: 'BASE_NOT_FOUND', message: 'host:5000/app:none: not found' });
  }
});

test('a remembered image whose documents or layers are gone from the store is fetched again', async () => {
  const manifest = remote.image('1', 'a');
  await bases().resolve('host:5000/app:1', linux, { signal });
  rmSync(path.join(root, 'blobs/sha256', hexOf(manifest.digest)));
  remote.asked.length = 0;
  const images = bases();
  const { source } = await images.resolve('host:5000/app:1', linux, { signal });
  await images.ensure(source, job, {});
  expect(remote.asked).toEqual([manifest.digest, digestOf('a')]);
});
