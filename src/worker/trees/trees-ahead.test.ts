import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test as base } from 'vitest';
import { fromText } from '../../base/bytes.js';
import { unmountBelow } from '../../base/linux/mounts-below.js';
import { packLayer, type PackItem } from '../../layer/pack.js';
import type { ContentSource } from '../../oci/content.js';
import { mediaTypes, type Descriptor } from '../../oci/descriptor.js';
import { digestOf, type DiffId } from '../../oci/digest.js';
import { Store } from '../../store/store.js';
import { LayerContent } from '../layer-content.js';
import type { ComingLayer } from '../machine.js';
import { OverlayStacking } from './overlay-stacking.js';
import { StackedTrees } from './stacked-trees.js';

const never = { signal: new AbortController().signal };

interface Place {
  readonly store: Store;
  readonly trees: StackedTrees;
}

const test = base.extend<{ place: Place }>({
  // oxlint-disable-next-line no-empty-pattern
  place: async ({}, use) => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-trees-ahead-'));
    const { store, lease } = await Store.open(path.join(dir, 'store'), never);
    const trees = new StackedTrees({
      store,
      layers: new LayerContent(store),
      dialect: 'trusted',
      stacking: new OverlayStacking(store.paths.trees, 'overlay-trusted'),
      keepsLayers: false,
      owners: 'on-disk',
      onProgress: undefined,
    });
    await use({ store, trees });
    unmountBelow(fromText(dir));
    await lease.release();
    rmSync(dir, { recursive: true, force: true });
  },
});

interface Coming extends ComingLayer {
  readonly bytes: Buffer;
}

/** Layers with files, each on the one before; `level` makes other blobs of the same layers. */
function layersOf(store: Store, files: readonly Readonly<Record<string, string>>[], level = 6): readonly Coming[] {
  let parent: string | undefined;
  return files.map((some) => {
    const items = Object.entries(some).map(([name, text]): PackItem => {
      const content = { kind: 'bytes', bytes: Buffer.from(text) } as const;
      return { entry: { path: name, type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, size: text.length }, content };
    });
    const parts: Buffer[] = [];
    packLayer(items, (bytes) => parts.push(Buffer.from(bytes)));
    const tar = Buffer.concat(parts);
    const bytes = gzipSync(tar, { level });
    const blob = { mediaType: mediaTypes.layerGzip, digest: digestOf(bytes), size: bytes.length };
    const layer = { diffId: digestOf(tar) as string as DiffId, blob };
    parent = store.refs.layerRefId(parent, layer);
    return { ref: parent, layer, bytes };
  });
}

/** Gives bytes in two parts; the second one when `rest` is resolved. Checks nothing. */
function slow(bytes: Buffer, rest: Promise<void>): ContentSource {
  return {
    open: async function* (_target: Descriptor) {
      yield bytes.subarray(0, 20);
      await rest;
      yield bytes.subarray(20);
    },
    readDocument: () => Promise.reject(new Error('no documents here')),
  };
}

async function keepRefs({ store }: Place, layers: readonly Coming[]): Promise<void> {
  for (const [i, { ref, layer }] of layers.entries()) {
    await store.refs.save({ id: ref, ...(i > 0 && { parent: layers[i - 1]!.ref }) });
    await store.refs.saveLayer(ref, layer);
  }
}

async function shown({ trees }: Place, ref: string): Promise<Readonly<Record<string, string>>> {
  using mounted = await trees.mount(ref, never);
  const names = readdirSync(mounted.root).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join(mounted.root, name), 'utf8')]));
}

const FILES = [
  { a: 'one', b: 'one', c: 'one' },
  { b: 'two', '.wh.c': '' },
];

base.describe.skipIf(process.getuid?.() !== 0)('trees ahead (need root)', () => {
  test('are made while the layers come, and are nobody’s before the refs are there', async ({ place }) => {
    const { store, trees } = place;
    const layers = layersOf(store, FILES);
    let go!: () => void;
    const rest = new Promise<void>((resolve) => (go = resolve));
    const ahead = trees.unpackAhead(layers, never);
    const brought = layers.map(({ layer, bytes }) => store.blobs.put(layer.blob, slow(bytes, rest), never));
    go();
    await Promise.all(brought);
    await ahead;
    expect(readdirSync(store.paths.trees)).toEqual([]);
    expect(readdirSync(store.paths.tocs)).toEqual([]);
    await keepRefs(place, layers);
    for (const { layer } of layers) rmSync(store.blobs.path(layer.blob.digest)); // so that nothing is read again
    await expect(shown(place, layers[1]!.ref)).rejects.toMatchObject({ code: 'ENOENT' }); // whose bytes they were is asked
    await Promise.all(layers.map(({ layer, bytes }) => store.blobs.put(layer.blob, slow(bytes, rest), never)));
    expect(await shown(place, layers[1]!.ref)).toEqual({ a: 'one', b: 'two' });
  });

  test('do not count when their bytes were not those of the blob', async ({ place }) => {
    const { store, trees } = place;
    const layers = layersOf(store, FILES);
    const others = layersOf(store, FILES, 1); // the same files, in other blobs
    const [first, other] = [layers[0]!, others[0]!];
    const claimed = { ...first, layer: { ...first.layer, blob: { ...first.layer.blob, size: other.bytes.length } } };
    let go!: () => void;
    const rest = new Promise<void>((resolve) => (go = resolve));
    const stop = new AbortController();
    const ahead = trees.unpackAhead([claimed], { signal: stop.signal });
    const wrong = store.blobs.put(claimed.layer.blob, slow(other.bytes, rest), never);
    await sleep(100); // for the first bytes to be read
    go();
    await expect(wrong).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
    stop.abort(new Error('enough'));
    await ahead.catch(() => undefined); // it may have come to the end, or not
    await store.blobs.put(first.layer.blob, slow(first.bytes, rest), never);
    await keepRefs(place, [first]);
    expect(await shown(place, first.ref)).toEqual(FILES[0]);
  });

  test('are left out when their layers do not come', async ({ place }) => {
    const { store, trees } = place;
    const layers = layersOf(store, FILES);
    const stop = new AbortController();
    const ahead = trees.unpackAhead(layers, { signal: stop.signal });
    const failed = expect(ahead).rejects.toThrow('enough');
    await store.blobs.put(layers[0]!.layer.blob, slow(layers[0]!.bytes, Promise.resolve()), never);
    stop.abort(new Error('enough'));
    await failed;
    await store.blobs.put(layers[1]!.layer.blob, slow(layers[1]!.bytes, Promise.resolve()), never);
    await keepRefs(place, layers);
    expect(await shown(place, layers[1]!.ref)).toEqual({ a: 'one', b: 'two' });
  });
});
