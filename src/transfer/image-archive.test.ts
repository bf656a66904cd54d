import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { mediaTypes, type Descriptor, type Manifest } from '../oci/descriptor.js';
import { digestOf as sha256 } from '../oci/digest.js';
import { ImageArchive } from './image-archive.js';
import { listGraph } from './list-graph.js';
import { makeTar, type TarFile } from './make-tar.fixture.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-image-archive-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const { signal } = new AbortController();
const job = { signal, emit: () => undefined, now: () => 0, session: { contexts: new Map() } };

const layers = ['first', 'second'].map((name) => makeTar([{ path: name, content: name.repeat(20_000) }]));

function configOf(diffIds: readonly string[]): string {
  return JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } });
}

/** As `docker save` wrote it before version 25. */
function oldForm(edit: (files: Map<string, TarFile>) => void = () => undefined): readonly TarFile[] {
  const config = configOf(layers.map(sha256));
  const name = `${sha256(config).slice(7)}.json`;
  const image = { Config: name, RepoTags: ['app:1', 'reg.example/app:2'], Layers: ['a/layer.tar', 'b/layer.tar'] };
  const files = new Map<string, TarFile>();
  const add = (spec: TarFile): void => void files.set(spec.path, spec);
  add({ path: 'a', type: 'dir' });
  add({ path: 'a/VERSION', content: '1.0' });
  add({ path: 'a/layer.tar', content: layers[0]! });
  add({ path: 'b/layer.tar', content: layers[1]! });
  add({ path: name, content: config });
  add({ path: 'manifest.json', content: JSON.stringify([image]) });
  edit(files);
  return [...files.values()];
}

async function openTar(tar: Buffer): Promise<ImageArchive> {
  const file = path.join(dir, 'archive.tar');
  writeFileSync(file, tar);
  return await ImageArchive.open(file, 'archive.tar', { signal });
}

/** Reads every blob of every image. */
async function readAll(archive: ImageArchive): Promise<ReadonlyMap<string, Buffer>> {
  const read = new Map<string, Buffer>();
  for (const root of archive.manifests) {
    for (const one of await listGraph(archive, root, job)) {
      const chunks: Buffer[] = [];
      for await (const chunk of archive.open(one, { signal })) chunks.push(chunk);
      read.set(one.digest, Buffer.concat(chunks));
    }
  }
  return read;
}

async function manifestOf(archive: ImageArchive, root: Descriptor): Promise<Manifest> {
  return JSON.parse((await archive.readDocument(root, { signal })).toString()) as Manifest;
}

test('the old form of docker save gets a manifest, and is read in place', async () => {
  const archive = await openTar(makeTar(oldForm()));
  expect(archive.manifests.map((one) => one.annotations?.['io.containerd.image.name'])).toEqual([
    'app:1',
    'reg.example/app:2',
  ]);
  const root = archive.resolve({ tag: 'reg.example/app:2' });
  const manifest = await manifestOf(archive, root);
  expect(manifest.layers).toEqual(
    layers.map((tar) => ({ mediaType: mediaTypes.layer, digest: sha256(tar), size: tar.length })),
  );
  const read = await readAll(archive);
  expect(layers.every((tar) => read.get(sha256(tar))?.equals(tar))).toBe(true);
  expect(await archive.has(manifest.layers[0]!, { signal })).toBe(true);
  expect(await archive.has({ ...manifest.layers[0]!, size: 1 }, { signal })).toBe(false);
});

test.each([
  ['a symlink', { type: 'symlink', linkname: '../a/layer.tar' }],
  ['a hard link', { type: 'hardlink', linkname: 'a/layer.tar' }],
] as const)('a layer that is %s to another one', async (_, link) => {
  const config = configOf([sha256(layers[0]!), sha256(layers[0]!)]);
  const image = [{ Config: 'c.json', RepoTags: null, Layers: ['a/layer.tar', 'b/layer.tar'] }];
  const archive = await openTar(
    makeTar([
      { path: 'a/layer.tar', content: layers[0]! },
      { path: 'b/layer.tar', ...link },
      { path: 'c.json', content: config },
      { path: 'manifest.json', content: JSON.stringify(image) },
    ]),
  );
  const manifest = await manifestOf(archive, archive.resolve({}));
  expect(manifest.layers.map(({ digest }) => digest)).toEqual([sha256(layers[0]!), sha256(layers[0]!)]);
  await readAll(archive);
});

test('layers that are compressed keep their bytes and get the type', async () => {
  const packed = gzipSync(layers[0]!);
  const archive = await openTar(
    makeTar(oldForm((files) => files.set('a/layer.tar', { path: 'a/layer.tar', content: packed }))),
  );
  const manifest = await manifestOf(archive, archive.manifests[0]!);
  expect(manifest.layers[0]).toEqual({
    mediaType: mediaTypes.layerGzip,
    digest: sha256(packed),
    size: packed.length,
  });
  expect((await readAll(archive)).get(sha256(packed))?.equals(packed)).toBe(true);
});

test('a layout as a tar is read by its index, whatever a manifest.json says beside it', async () => {
  const blob = (content: string | Buffer): TarFile => ({ path: `./blobs/sha256/${sha256(content).slice(7)}`, content });
  const config = configOf([sha256(layers[0]!)]);
  const describe = (mediaType: string, content: string | Buffer): object => ({
    mediaType,
    digest: sha256(content),
    size: Buffer.byteLength(content),
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: describe(mediaTypes.config, config),
    layers: [describe(mediaTypes.layer, layers[0]!)],
  });
  const index = JSON.stringify({ schemaVersion: 2, manifests: [describe(mediaTypes.manifest, manifest)] });
  const archive = await openTar(
    makeTar([
      { path: './index.json', content: index },
      blob(layers[0]!),
      { path: './manifest.json', content: '[{"Config":"x","Layers":[]}]' },
      blob(config),
      blob(manifest),
      { path: './oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    ]),
  );
  expect(archive.manifests).toEqual([describe(mediaTypes.manifest, manifest)]);
  expect((await readAll(archive)).size).toBe(3);
});

const put =
  (spec: TarFile) =>
  (files: Map<string, TarFile>): void =>
    void files.set(spec.path, spec);

test.each([
  ['nothing that names images', 'IMAGE_INVALID', (f: Map<string, TarFile>) => f.delete('manifest.json')],
  ['a layer that is missing', 'IMAGE_INVALID', (f: Map<string, TarFile>) => f.delete('b/layer.tar')],
  ['a config that is missing', 'IMAGE_INVALID', (f: Map<string, TarFile>) => f.delete([...f.keys()].at(-2)!)],
  ['a list of images that is no JSON', 'IMAGE_INVALID', put({ path: 'manifest.json', content: '[' })],
  ['a list of images of another form', 'IMAGE_INVALID', put({ path: 'manifest.json', content: '[{"Config":1}]' })],
  [
    'a layer that leads out',
    'IMAGE_INVALID',
    put({ path: 'b/layer.tar', type: 'symlink', linkname: '../../../etc/passwd' }),
  ],
  [
    'a layer that leads to an absolute name',
    'IMAGE_INVALID',
    put({ path: 'b/layer.tar', type: 'symlink', linkname: '/etc/passwd' }),
  ],
  ['links in a circle', 'ARCHIVE_INVALID', put({ path: 'b/layer.tar', type: 'symlink', linkname: 'layer.tar' })],
  ['a layer with other bytes', 'BLOB_CORRUPT', put({ path: 'b/layer.tar', content: layers[0]! })],
  ['a compressed layer with other bytes', 'BLOB_CORRUPT', put({ path: 'b/layer.tar', content: gzipSync(layers[0]!) })],
  ['a layer that is a device', 'IMAGE_INVALID', put({ path: 'b/layer.tar', type: 'char' })],
  [
    'a name out of the archive',
    'IMAGE_INVALID',
    (f: Map<string, TarFile>) => {
      f.delete('manifest.json');
      f.set('x', { path: 'x/../manifest.json', content: '[]' });
    },
  ],
] as const)('an archive with %s is refused', async (_, code, edit) => {
  const tar = makeTar(oldForm((files) => void edit(files)));
  await expect(openTar(tar).then(readAll)).rejects.toMatchObject({ code });
});

test('more diffIDs than layers, a file that is there twice, and a cut archive are refused', async () => {
  const files = oldForm();
  const config = JSON.stringify({ ...JSON.parse(configOf([sha256(layers[0]!)])) });
  const image = JSON.stringify([{ Config: 'c', Layers: ['a/layer.tar', 'b/layer.tar'] }]);
  const contradicts = [...files, { path: 'c', content: config }].map((one) =>
    one.path === 'manifest.json' ? { ...one, content: image } : one,
  );
  await expect(openTar(makeTar(contradicts))).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  const twice = makeTar([...files, { path: './manifest.json', content: '[]' }]);
  await expect(openTar(twice)).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
  const whole = makeTar(files);
  for (const length of [whole.length - 1536, 100_000, 700]) {
    await expect(openTar(whole.subarray(0, length))).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
  }
});
