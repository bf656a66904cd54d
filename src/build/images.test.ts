import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeImage } from '../exporter/make-image.js';
import { hexOf } from '../oci/digest.js';
import { parseReference, withDefaultTag } from '../oci/reference.js';
import { findImage, openStore, removeImages } from './images.js';

const { signal } = new AbortController();
let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'slipway-images-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** An image of no layers, told from others by its author. */
async function makeNamed(author: string, names: readonly string[]): Promise<string> {
  await using opened = await openStore(root, signal);
  const config = {
    architecture: 'amd64',
    os: 'linux',
    author,
    rootfs: { type: 'layers' as const, diff_ids: [] },
    history: [],
  };
  const { manifest } = await makeImage({ layers: [], config, baseHistory: [] }, opened.store.blobs, 0);
  const references = names.map((name) => withDefaultTag(parseReference(name)));
  await opened.store.images.tag(manifest, references, { signal });
  return manifest.digest;
}

test('a name that looks like digits of a digest is a name first', async () => {
  const digest = await makeNamed('a', ['cafe12', 'other']);
  await using opened = await openStore(root, signal);
  expect((await findImage(opened.store, 'cafe12', { signal })).image.descriptor.digest).toBe(digest);
  expect([...(await findImage(opened.store, digest.slice(7, 19), { signal })).names].sort()).toEqual([
    'cafe12:latest',
    'other:latest',
  ]);
});

test('an unknown name is told with the names that there are', async () => {
  await makeNamed('a', ['one:1', 'two:2']);
  await using opened = await openStore(root, signal);
  await expect(findImage(opened.store, 'three', { signal })).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
    hint: 'the images are: one:1, two:2',
  });
});

test('a name that moves on leaves the older image nameless, and rmi takes it by digest', async () => {
  const first = await makeNamed('first', ['app']);
  const second = await makeNamed('second', ['app']);
  await using opened = await openStore(root, signal);
  expect((await findImage(opened.store, 'app', { signal })).image.descriptor.digest).toBe(second);
  expect((await findImage(opened.store, first, { signal })).names).toEqual([]);
  expect(await removeImages(opened.store, [first], { signal })).toEqual([`Deleted: ${first}`]);
  await expect(findImage(opened.store, hexOf(first as never), { signal })).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
  });
  expect(await removeImages(opened.store, ['app'], { signal })).toEqual(['Untagged: app:latest', `Deleted: ${second}`]);
});
