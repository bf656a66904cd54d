import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { annotationKeys, type Index } from '../oci/descriptor.js';
import { parseReference } from '../oci/reference.js';
import { Store } from '../store/store.js';
import { ImageArchiveExporter } from './image-archive.js';
import { makeImage } from './make-image.js';
import { parseOutput } from './output-spec.js';
import type { ArchiveOutput } from './types.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-archive-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const { signal } = new AbortController();
const job = { signal, emit: () => undefined, now: () => 0, session: { contexts: new Map() } };
const { store, lease } = await Store.open(path.join(base, 'store'), { signal });
afterAll(() => lease.release());

async function exportTo(dest: string, name: string): Promise<void> {
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { name } },
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
  } as const;
  const built = { layers: [], config, baseHistory: [] };
  const exporter = new ImageArchiveExporter(
    parseOutput(`type=oci,dest=${dest},tar=false,compression=uncompressed`) as ArchiveOutput,
  );
  const image = async () => ({ built, made: await makeImage(built, store.blobs, 0) });
  const registries = { get: () => Promise.reject(new Error('not asked for')) };
  const platform = { os: 'linux', architecture: 'amd64' };
  const context = {
    ref: null,
    platform,
    annotations: [],
    image,
    tags: [parseReference(name)],
    store,
    registries,
    epoch: 0,
  };
  await exporter.export({ ...context, exportTree: () => Promise.reject(new Error('not asked for')) }, job);
}

test('images that are exported to one directory at the same time are all in its index', async () => {
  const dest = path.join(base, 'not/there/yet');
  const names = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}:1`);
  await Promise.all(names.map((name) => exportTo(dest, name)));
  const { manifests } = JSON.parse(readFileSync(path.join(dest, 'index.json'), 'utf8')) as Index;
  const found = manifests.map((one) => one.annotations?.[annotationKeys.imageName]?.replace(/^.*\//, ''));
  expect(found.sort()).toEqual(names);
  expect(readdirSync(dest).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
  expect(readdirSync(path.join(dest, 'blobs/sha256'))).toHaveLength(2 * names.length);
});

test.each(['file', 'file/below'])('a file in the place of the directory: %s', async (name) => {
  writeFileSync(path.join(base, 'file'), '');
  await expect(exportTo(path.join(base, name), 'a:1')).rejects.toMatchObject({
    code: 'EXPORT_FAILED',
    message: expect.stringContaining('is a file, and `tar=false` asks for a directory'),
  });
});
