import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { Cancel } from '../../src/base/abort.js';
import { mediaTypes, type Descriptor } from '../../src/oci/descriptor.js';
import type { Digest } from '../../src/oci/digest.js';
import { defaultConfig } from '../../src/registry/config.js';
import { openRegistries } from '../../src/registry/open-registries.js';
import type { Timing } from '../../src/registry/retry.js';
import type { Registries, Repository } from '../../src/registry/types.js';
import { BlobStore } from '../../src/store/blobs.js';
import { holdsNothing } from '../../src/store/lease-file.js';
import { StorePaths } from '../../src/store/paths.js';
import { MemoryContent } from '../../src/transfer/memory-content.fixture.js';
import type { FakeRepository } from './fake-registry-content.js';
import { FakeRegistry, type FakeRegistryOptions } from './fake-registry.js';
import { makeTempDir, removeTempDir } from './temp-dir.js';

export interface BenchOptions {
  readonly registry?: FakeRegistryOptions;
  readonly timing?: Partial<Timing>;
  /** `other` is a mirror of the registry; it is told nothing of users. */
  readonly mirror?: boolean;
  readonly password?: string;
}

const USERNAME = 'robot-of-tests';
const PASSWORD = 'pw-5f1d0c7a';
const LEASE = 'test';

/** A fake registry, another server beside it, one image, and a client with a store that pulls and pushes. */
export class FakeRegistryBench implements Cancel {
  readonly name = 'acme/app';
  readonly signal = new AbortController().signal;
  readonly content = new MemoryContent();
  readonly config: Descriptor;
  readonly layer: Descriptor;
  readonly manifest: Descriptor;
  /** What must not be seen in any error: those of users, and those of redirects that a test makes up. */
  readonly secrets: string[] = [PASSWORD, USERNAME];
  readonly blobs: BlobStore;
  readonly #dir = makeTempDir('registry');

  private constructor(
    readonly fake: FakeRegistry,
    readonly other: FakeRegistry,
    readonly registries: Registries,
  ) {
    this.config = this.content.add(mediaTypes.config, '{"architecture":"amd64","os":"linux"}');
    this.layer = this.content.add(mediaTypes.layerGzip, randomBytes(100_000));
    this.manifest = this.content.addManifest(this.config, [this.layer]);
    const paths = new StorePaths(this.#dir);
    for (const one of ['blobs/sha256', `tmp/${LEASE}`]) mkdirSync(path.join(this.#dir, one), { recursive: true });
    this.blobs = new BlobStore(paths, { ...holdsNothing, leaseId: LEASE });
  }

  static async start({ registry, timing, mirror, password = PASSWORD }: BenchOptions = {}): Promise<FakeRegistryBench> {
    const fake = await FakeRegistry.start({ auth: 'token', username: USERNAME, password: PASSWORD, ...registry });
    const other = await FakeRegistry.start();
    const registries = await openRegistries(
      {},
      {
        config: {
          host: (name) => ({
            ...defaultConfig.host(name),
            http: true,
            ...(mirror && name === fake.host && { mirrors: [`${other.host}/mirrored`] }),
          }),
        },
        credentials: {
          find: async ({ registry: host }) =>
            host === fake.host ? { kind: 'basic', username: USERNAME, password } : undefined,
        },
        timing: { tries: 3, delayMs: 1, maxDelayMs: 5, ...timing },
        sizes: { smallBytes: 1000, chunkBytes: 40_000, fewestBytes: 500 },
      },
    );
    return new FakeRegistryBench(fake, other, registries);
  }

  async close(): Promise<void> {
    await this.registries.close();
    await this.fake.close();
    await this.other.close();
    removeTempDir(this.#dir);
  }

  get there(): FakeRepository {
    return this.fake.repository(this.name);
  }

  puller(): Repository {
    return this.registries.repository({ registry: this.fake.host, repository: this.name }, { use: 'pull' });
  }

  pusher(origins?: readonly string[]): Repository {
    const options = { use: 'push', ...(origins && { origins: async () => origins }) } as const;
    return this.registries.repository({ registry: this.fake.host, repository: this.name }, options);
  }

  /** The image stands in the registry, as `v1`. */
  publish(at: FakeRepository = this.there): void {
    at.addBlob(this.bytes(this.config));
    at.addBlob(this.bytes(this.layer));
    at.addManifest(this.manifest.mediaType, this.bytes(this.manifest), 'v1');
  }

  bytes({ digest }: { readonly digest: Digest }): Buffer {
    return this.content.blobs.get(digest)!;
  }

  /** Into the store. */
  async pull(target: Descriptor): Promise<void> {
    await this.blobs.put(target, this.puller(), this);
  }

  /** The whole image, as `v1`. */
  async push(): Promise<void> {
    const to = this.pusher();
    for (const one of [this.config, this.layer, this.manifest]) await to.put(one, this.content, this);
    await to.tag(this.manifest, 'v1', this.content, this);
  }

  async isPulled(target: Descriptor): Promise<boolean> {
    return (
      (await this.blobs.has(target, this)) && (await this.blobs.readDocument(target, this)).equals(this.bytes(target))
    );
  }

  /** Whether the registry has exactly these bytes. */
  isPushed(target: Descriptor): boolean {
    const there = this.there.blobs.get(target.digest) ?? this.there.manifests.get(target.digest)?.bytes;
    return there?.equals(this.bytes(target)) ?? false;
  }

  /** Files of the store that nobody finished. */
  get leftovers(): readonly string[] {
    return readdirSync(path.join(this.#dir, 'tmp', LEASE), { recursive: true }).map(String);
  }
}

/**
 * The last request asked for the rest of what was cut after `atMost` bytes. What had arrived but was not read yet when
 * the connection broke may be lost, so it need not be all of them.
 */
export function expectTakenUp({ requests }: FakeRegistry, atMost: number): void {
  const from = /^bytes=(\d+)-$/.exec(requests.at(-1)!.headers['range'] ?? '')?.[1];
  expect(Number(from)).toBeGreaterThan(0);
  expect(Number(from)).toBeLessThanOrEqual(atMost);
}
