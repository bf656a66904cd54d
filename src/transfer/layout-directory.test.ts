import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { annotationKeys, mediaTypes, type Descriptor, type Index } from '../oci/descriptor.js';
import { parseReference } from '../oci/reference.js';
import { copyGraph } from './copy-graph.js';
import { LayoutDirectory } from './layout-directory.js';
import { indexEntries, referencesOf, type LayoutNames } from './layout-index.js';
import { MemoryContent } from './memory-content.fixture.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-layout-directory-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const { signal } = new AbortController();
const job = { signal, emit: () => undefined, now: () => 0, session: { contexts: new Map() } };

const content = new MemoryContent();
function image(author: string): Descriptor {
  const config = { os: 'linux', architecture: 'amd64', author, rootfs: { type: 'layers', diff_ids: [] } };
  return content.addManifest(content.add(mediaTypes.config, JSON.stringify(config)), []);
}

async function write(dir: string, root: Descriptor, names: LayoutNames): Promise<void> {
  await LayoutDirectory.write(dir, job, async (layout) => {
    await copyGraph(content, layout, root, { job });
    await layout.addEntries(indexEntries(root, names));
  });
}

/** What stands for each name; `-` is none. */
function named(dir: string): readonly string[] {
  const { manifests } = JSON.parse(readFileSync(path.join(dir, 'index.json'), 'utf8')) as Index;
  return manifests.map(({ digest, annotations = {} }) => {
    const names = [annotations[annotationKeys.refName], annotations[annotationKeys.imageName]];
    return `${digest.slice(7, 12)} ${names.map((one) => one ?? '-').join(' ')}`;
  });
}

const [a, b] = [image('a'), image('b')];
const [da, db] = [a, b].map(({ digest }) => digest.slice(7, 12));

test('a name moves to what is written under it, other images stay', async () => {
  const dir = path.join(base, 'names');
  await write(dir, a, { references: [] });
  expect(named(dir)).toEqual([`${da} - -`]);
  await write(dir, a, { text: 'v1' });
  await write(dir, b, { text: 'v2' });
  expect(named(dir)).toEqual([`${da} v1 -`, `${db} v2 -`]);
  await write(dir, a, { text: 'v2' });
  expect(named(dir)).toEqual([`${da} v1 -`, `${da} v2 -`]);
  await write(dir, b, { references: [parseReference('x:v1'), parseReference('y:v1')] });
  expect(named(dir)).toEqual([`${da} v2 -`, `${db} v1 docker.io/library/x:v1`, `${db} v1 docker.io/library/y:v1`]);
  await write(dir, a, { text: 'reg.example/z:1' });
  expect(named(dir).at(-1)).toBe(`${da} reg.example/z:1 reg.example/z:1`);
  expect(readdirSync(dir).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
});

test('a copy that is canceled or fails leaves the index as it was, and no part of a blob', async () => {
  const dir = path.join(base, 'canceled');
  await write(dir, a, { text: 'a' });
  const before = readFileSync(path.join(dir, 'index.json'), 'utf8');
  const stop = new AbortController();
  const cut = new MemoryContent();
  const config = cut.add(mediaTypes.config, 'x'.repeat(1000));
  const root = cut.addManifest(config, []);
  cut.blobs.set(config.digest, Buffer.from('x'.repeat(500)));
  const copy = async (signal: AbortSignal): Promise<void> =>
    await LayoutDirectory.write(dir, { signal }, async (layout) => {
      await copyGraph(cut, layout, root, { job: { ...job, signal } });
    });
  await expect(copy(stop.signal)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  cut.onTransfer = async () => stop.abort(new Error('enough'));
  await expect(copy(stop.signal)).rejects.toThrow('enough');
  expect(readFileSync(path.join(dir, 'index.json'), 'utf8')).toBe(before);
  expect(readdirSync(path.join(dir, 'blobs/sha256'))).toHaveLength(2);
  expect(existsSync(path.join(dir, 'blobs/sha256', config.digest.slice(7)))).toBe(false);
  expect(readdirSync(dir).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
});

test('an index that is not one is not written over', async () => {
  const dir = path.join(base, 'damaged');
  await write(dir, a, { text: 'a' });
  writeFileSync(path.join(dir, 'index.json'), '{}');
  await expect(write(dir, b, { text: 'b' })).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  expect(readFileSync(path.join(dir, 'index.json'), 'utf8')).toBe('{}');
});

test('names of others become references only when they are valid and without a digest', () => {
  const told: string[] = [];
  const names = (annotations: Record<string, string>): readonly string[] =>
    referencesOf({ ...a, annotations }, (name) => told.push(name)).map(({ repository, tag }) => `${repository}:${tag}`);
  const { imageName, refName } = annotationKeys;
  expect(names({})).toEqual([]);
  expect(names({ [refName]: 'v1' })).toEqual([]);
  expect(names({ [refName]: 'reg.example/app' })).toEqual(['app:latest']);
  expect(names({ [imageName]: 'app:1', [refName]: 'other:2' })).toEqual(['library/app:1']);
  expect(told).toEqual([]);
  for (const bad of ['../../etc:1', 'App:1', 'a b:1', `app@${a.digest}`, '', `app:${'x'.repeat(200)}`]) {
    expect(names({ [imageName]: bad }), bad).toEqual([]);
  }
  expect(told).toHaveLength(6);
});
