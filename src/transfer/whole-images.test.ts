import { expect, test } from 'vitest';
import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { digestOf } from '../oci/digest.js';
import type { Platform } from '../oci/platform.js';
import { copyGraph } from './copy-graph.js';
import { MemoryContent } from './memory-content.fixture.js';
import { foremostImage, wholeImages } from './whole-images.js';

const { signal } = new AbortController();
const job = { signal, emit: () => undefined, now: () => 0, session: { contexts: new Map() } };
const [amd64, arm64] = ['amd64', 'arm64'].map((architecture): Platform => ({ os: 'linux', architecture })) as [
  Platform,
  Platform,
];

interface Platforms {
  readonly content: MemoryContent;
  readonly index: Descriptor;
  readonly manifests: readonly Descriptor[];
  readonly layers: readonly Descriptor[];
}

/** An index of images for these platforms, with what BuildKit attests beside them. */
function indexOf(...platforms: readonly Platform[]): Platforms {
  const content = new MemoryContent();
  const layers = platforms.map(({ architecture }) => content.add(mediaTypes.layer, `layer of ${architecture}`));
  const manifests = platforms.map((platform, i) => {
    const rootfs = { type: 'layers', diff_ids: [layers[i]!.digest] };
    const config = content.add(mediaTypes.config, JSON.stringify({ ...platform, rootfs }));
    return { ...content.addManifest(config, [layers[i]!]), platform };
  });
  const attestation = {
    ...content.addManifest(content.add(mediaTypes.config, '{}'), []),
    platform: { os: 'unknown', architecture: 'unknown' },
  };
  return { content, index: content.addIndex([attestation, ...manifests]), manifests, layers };
}

test('images of an index that are not whole are left out of a copy, unless none is', async () => {
  const { content, index, manifests, layers } = indexOf(amd64, arm64);
  content.blobs.delete(layers[1]!.digest);
  const sink = new MemoryContent();
  await copyGraph(content, sink, index, { job, only: await wholeImages(content, index, job) });
  expect(manifests.map(({ digest }) => sink.blobs.has(digest))).toEqual([true, false]);
  expect(sink.blobs.has(index.digest)).toBe(true);

  const nothing = new MemoryContent();
  nothing.blobs.set(index.digest, content.blobs.get(index.digest)!);
  await expect(wholeImages(nothing, index, job)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
});

test('the foremost image is that of the platform, else the first that is whole, and never an attestation', async () => {
  const { content, index, manifests, layers } = indexOf(arm64, amd64);
  const digestFor = async (platform: Platform): Promise<string> =>
    (await foremostImage(content, index, platform, job)).descriptor.digest;
  expect(await digestFor(amd64)).toBe(manifests[1]!.digest);
  expect(await digestFor({ os: 'linux', architecture: 's390x' })).toBe(manifests[0]!.digest);
  content.blobs.delete(layers[0]!.digest);
  expect(await digestFor(arm64)).toBe(manifests[1]!.digest);
  content.blobs.delete(layers[1]!.digest);
  await expect(digestFor({ os: 'linux', architecture: 's390x' })).rejects.toMatchObject({ code: 'BASE_NOT_FOUND' });
});

test('an index that lists the same again and again, within each other, is judged once', async () => {
  const content = new MemoryContent();
  const missing: Descriptor = { mediaType: mediaTypes.config, digest: digestOf('missing'), size: 7 };
  let root = content.addManifest(missing, []);
  for (let depth = 0; depth < 20; depth++) root = content.addIndex(Array.from({ length: 100 }, () => root));
  await expect(wholeImages(content, root, job)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  await expect(foremostImage(content, root, amd64, job)).rejects.toMatchObject({ code: 'BASE_NOT_FOUND' });
});
