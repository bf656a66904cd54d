import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDockerfile } from '../../src/dockerfile/parse.js';
import { convertDockerfile } from '../../src/dockerfile/to-llb/convert.js';
import type { Index, Manifest } from '../../src/oci/descriptor.js';
import { readImage } from '../../src/oci/image.js';
import { ImageLayout } from '../../src/store/layout.js';
import { writeLayout } from '../support/layout.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';
import { forSeeds, requireOwn, tryBuild, type Outcomes } from './build-in-process.js';
import { mutateJson } from './mutate-json.js';
import { sampleTars } from './mutate-tar.js';
import { Seeded } from '../support/seeded.js';

const RUNS = 1000;
/** Whole builds take longer. */
const BUILDS = 120;
let dir = '';
beforeAll(() => void (dir = makeTempDir('fuzz-layouts')));
afterAll(() => removeTempDir(dir));

/** What a config can say, so that every field has a chance to be changed. */
const CONFIG = {
  User: 'app',
  Env: ['PATH=/bin', 'a=b'],
  Cmd: ['x'],
  Entrypoint: ['y'],
  WorkingDir: '/w',
  Labels: { a: 'b' },
  ExposedPorts: { '80/tcp': {} },
  Volumes: { '/v': {} },
  StopSignal: 'TERM',
  OnBuild: ['ENV c=d', 'COPY Dockerfile /x'],
  Shell: ['/bin/sh', '-c'],
  Healthcheck: { Test: ['CMD', 'z'], Interval: 1, Timeout: 2, Retries: 3 },
};

class Layout {
  readonly #blobs: string;

  constructor(readonly dir: string) {
    this.#blobs = path.join(dir, 'blobs/sha256');
  }

  /** Replaces one of the three documents by a mutation; what stands above names the new one, size and digest right. */
  mutate(which: 'index' | 'manifest' | 'config', seeded: Seeded): void {
    const index = this.#read('index.json') as Index;
    if (which === 'index') return this.#writeIndex(mutateJson(index, seeded));
    const manifest = this.#read(this.#blob(index.manifests[0]!.digest)) as Manifest;
    if (which === 'manifest') return this.#writeManifest(index, mutateJson(manifest, seeded));
    const config = mutateJson(this.#read(this.#blob(manifest.config.digest)), seeded);
    const changed = { ...manifest, config: { ...manifest.config, ...this.#put(config) } };
    this.#writeManifest(index, Buffer.from(JSON.stringify(changed)));
  }

  #writeManifest(index: Index, bytes: Buffer): void {
    const manifests = [{ ...index.manifests[0]!, ...this.#put(bytes) }];
    this.#writeIndex(Buffer.from(JSON.stringify({ ...index, manifests })));
  }

  #writeIndex(bytes: Buffer): void {
    writeFileSync(path.join(this.dir, 'index.json'), bytes);
  }

  #put(bytes: Buffer): { readonly digest: string; readonly size: number } {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(path.join(this.#blobs, hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  }

  #blob(digest: string): string {
    return path.join('blobs/sha256', digest.slice(7));
  }

  #read(name: string): unknown {
    return JSON.parse(readFileSync(path.join(this.dir, name), 'utf8'));
  }
}

const linux = { os: 'linux', architecture: 'amd64' };

/** The layout with one document changed. */
function mutatedLayout(seed: number): string {
  const layout = new Layout(path.join(dir, 'layout'));
  rmSync(layout.dir, { recursive: true, force: true });
  writeLayout(layout.dir, { layers: sampleTars().slice(2, 3), config: CONFIG });
  const seeded = new Seeded(seed);
  layout.mutate(seeded.of(['index', 'manifest', 'config', 'config'] as const), seeded);
  return layout.dir;
}

const DOCKERFILE = 'FROM base\nENV e=$a\nUSER u\nWORKDIR r\nCOPY --from=base --chown=app / /all\n';

test(`reading ${RUNS} mutated image layouts, and going on from them`, { timeout: 120_000 }, async () => {
  const { signal } = new AbortController();
  let read = 0;
  await forSeeds('reading a mutated image layout', RUNS, async (seed) => {
    const layout = new ImageLayout(mutatedLayout(seed));
    try {
      const { descriptor, config } = await readImage(layout, await layout.resolve({}), linux, { signal });
      const { digest } = descriptor;
      const bases = { resolve: () => Promise.resolve({ source: `oci-layout://base@${digest}`, digest, config }) };
      read++;
      await convertDockerfile(parseDockerfile(DOCKERFILE), { buildPlatform: linux }, bases, { signal });
    } catch (error) {
      requireOwn(error);
    }
  });
  expect(read).toBeGreaterThan(RUNS / 10);
  expect(read).toBeLessThan(RUNS);
});

test(`FROM ${BUILDS} mutated image layouts`, { timeout: 120_000 }, async () => {
  const context = path.join(dir, 'context');
  mkdirSync(context);
  writeFileSync(path.join(context, 'Dockerfile'), DOCKERFILE);
  const outcomes: Outcomes = { built: 0, failed: 0 };
  await forSeeds('FROM a mutated image layout', BUILDS, async (seed) => {
    const base = `oci-layout://${mutatedLayout(seed)}`;
    await tryBuild({ context, root: path.join(dir, 'store'), buildContexts: { base } }, outcomes);
  });
  expect(outcomes.built).toBeGreaterThan(BUILDS / 10);
  expect(outcomes.failed).toBeGreaterThan(BUILDS / 10);
});
