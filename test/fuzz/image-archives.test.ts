import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listImages, loadImages, openStore } from '../../src/build/index.js';
import { mediaTypes } from '../../src/oci/descriptor.js';
import { parseReference } from '../../src/oci/reference.js';
import { layoutFaults } from '../support/check-layout.js';
import { makeTar, sha256, type TarSpec } from '../support/tar.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';
import { forSeeds, requireOwn } from './build-in-process.js';
import { mutateJson } from './mutate-json.js';
import { mutateTar, sampleTars } from './mutate-tar.js';
import { Seeded } from '../support/seeded.js';

const RUNS = 600;
let dir = '';
beforeAll(() => void (dir = makeTempDir('fuzz-image-archives')));
afterAll(() => removeTempDir(dir));

const layers = sampleTars().slice(0, 2);
const config = Buffer.from(
  JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: layers.map(sha256) } }),
);
const describe = (mediaType: string, bytes: Buffer): object => ({
  mediaType,
  digest: sha256(bytes),
  size: bytes.length,
});
const blob = (content: Buffer): TarSpec => ({ path: `blobs/sha256/${sha256(content).slice(7)}`, content });

/** One document is left to be changed; what it is called in the archive. */
interface Sample {
  readonly files: readonly TarSpec[];
  readonly document: object;
  readonly name: string;
}

/** `docker save` as it was, with a link in the place of a layer, and a layout as a tar. */
function samples(): readonly Sample[] {
  const image = { Config: 'c.json', RepoTags: ['app:1'], Layers: ['a/layer.tar', 'b/layer.tar'] };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: describe(mediaTypes.config, config),
      layers: layers.map((one) => describe(mediaTypes.layer, one)),
    }),
  );
  const annotations = { 'io.containerd.image.name': 'reg.example/app:1', 'org.opencontainers.image.ref.name': '1' };
  const entry = { ...describe(mediaTypes.manifest, manifest), annotations };
  return [
    {
      files: [
        { path: 'a/layer.tar', content: layers[0]! },
        { path: 'x/layer.tar', content: layers[1]! },
        { path: 'b/layer.tar', type: 'symlink', linkname: '../x/layer.tar' },
        { path: 'c.json', content: config },
      ],
      document: [image],
      name: 'manifest.json',
    },
    {
      files: [
        ...[...layers, config, manifest].map(blob),
        { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
      ],
      document: { schemaVersion: 2, manifests: [entry] },
      name: 'index.json',
    },
  ];
}

/** Either the tar is changed, or the document in it. */
function mutated(seeded: Seeded): Buffer {
  const { files, document, name } = seeded.of(samples());
  if (seeded.below(2) === 0) return makeTar([...files, { path: name, content: mutateJson(document, seeded) }]);
  return mutateTar([makeTar([...files, { path: name, content: JSON.stringify(document) }])], seeded);
}

test(`loading ${RUNS} mutated archives of images`, { timeout: 240_000 }, async () => {
  const root = path.join(dir, 'store');
  const file = path.join(dir, 'archive.tar');
  const { signal } = new AbortController();
  let loaded = 0;
  await forSeeds('loading a mutated archive of images', RUNS, async (seed) => {
    writeFileSync(file, mutated(new Seeded(seed)));
    try {
      await loadImages({ file, root, signal });
      loaded++;
    } catch (error) {
      requireOwn(error);
    }
  });
  expect(loaded).toBeGreaterThan(RUNS / 20);
  expect(loaded).toBeLessThan(RUNS);
  await using opened = await openStore(root, signal);
  for (const { name } of await opened.store.images.list()) if (name !== undefined) parseReference(name);
  expect(await layoutFaults(root)).toEqual([]);
  await listImages(opened.store, { signal });
});
