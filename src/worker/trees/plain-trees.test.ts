import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Entry } from '../../layer/entry.js';
import { packLayer, type PackItem } from '../../layer/pack.js';
import { mediaTypes } from '../../oci/descriptor.js';
import type { DiffId } from '../../oci/digest.js';
import { takeInventory } from '../../snapshot/inventory.js';
import { Store, type OpenStore } from '../../store/store.js';
import { LayerContent } from '../layer-content.js';
import { OverlayStacking } from './overlay-stacking.js';
import { ChainContents } from './plain-chain.js';
import { PlainTrees, type PlainTreesOptions } from './plain-trees.js';
import { StackedTrees } from './stacked-trees.js';
import type { ActiveTree, Trees } from './types.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-plain-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };
const isRoot = process.getuid?.() === 0;

let open: OpenStore;
let store: Store;
let trees: PlainTrees;
let count = 0;
beforeEach(async () => {
  open = await Store.open(path.join(base, String(count++)), opts);
  store = open.store;
  trees = plainTrees();
});
afterEach(() => open.lease.release());

const plainTrees = (mounts = false, owners: PlainTreesOptions['owners'] = 'on-disk'): PlainTrees =>
  new PlainTrees({
    store,
    layers: new LayerContent(store),
    dialect: 'plain',
    owners,
    mounts,
    onProgress: undefined,
  });

const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const meta = { ...ids, size: 0, mtime: 1000 };
const dir = (name: string): PackItem => ({ entry: { path: name, type: 'dir', mode: 0o755, ...meta } });
const file = (name: string, content: string): PackItem => ({
  entry: { path: name, type: 'file', mode: 0o644, ...meta, size: content.length },
  content: { kind: 'bytes', bytes: Buffer.from(content) },
});
const link = (name: string, linkname: string): PackItem => ({
  entry: { path: name, type: 'hardlink', mode: 0o644, ...meta, linkname } satisfies Entry,
});

/** A ref that is a layer on `parent`. */
async function layer(parent: string | null, items: readonly PackItem[]): Promise<string> {
  const parts: Buffer[] = [];
  packLayer(items, (bytes) => parts.push(Buffer.from(bytes)));
  const tar = Buffer.concat(parts);
  const digest = await store.blobs.putBytes(tar);
  const diffId = digest as string as DiffId;
  const id = store.refs.newId();
  await store.refs.saveLayer(id, { diffId, blob: { mediaType: mediaTypes.layer, digest, size: tar.byteLength } });
  await store.refs.save({ id, ...(parent !== null && { parent }) });
  return id;
}

/** As a RUN: changes a tree, whose changes become a ref. */
async function step(at: Trees, parent: string, change: (root: string) => void, branches = false): Promise<string> {
  using tree = await at.mountActive(parent, { ...opts, branches });
  change(tree.root);
  return await commit(tree, parent);
}

async function commit(tree: ActiveTree, parent: string): Promise<string> {
  const id = store.refs.newId();
  await tree.commit(id, opts);
  await store.refs.save({ id, parent });
  return id;
}

async function namesOf(ref: string): Promise<readonly string[]> {
  using mounted = await trees.mount(ref, opts);
  return readdirSync(mounted.root);
}

/** Names in the layer of a ref. */
async function changesOf(ref: string): Promise<readonly string[]> {
  const { entries } = await new LayerContent(store).toc((await store.refs.layer(ref))!, opts);
  return entries.map((entry) => entry.path);
}

const kept = (): readonly string[] => readdirSync(store.paths.trees);
const treeOf = (ref: string): Promise<string | undefined> => store.refs.tree(ref, 'plain');
const write = (name: string) => (root: string) => writeFileSync(path.join(root, name), name);

test('a step takes the tree below it, and its own stays', async () => {
  const low = await layer(null, [dir('d'), file('d/a', '1')]);
  expect(await namesOf(low)).toEqual(['d']);
  const inode = statSync(path.join(store.paths.trees, (await treeOf(low))!)).ino;
  const one = await step(trees, low, write('b'));
  expect(existsSync(path.join(store.paths.refs, `${low}.plain.json`))).toBe(false);
  const two = await step(trees, one, write('c'));
  expect(kept()).toEqual([await treeOf(two)]);
  expect(statSync(path.join(store.paths.trees, kept()[0]!)).ino).toBe(inode);
  expect(await namesOf(two)).toEqual(['b', 'c', 'd']);
  expect(await namesOf(low)).toEqual(['d']); // again, from its layer
});

test('where the graph branches the tree below is copied, and stays', async () => {
  const low = await layer(null, [file('a', '1')]);
  const one = await step(trees, low, write('b'), true);
  const other = await step(trees, low, write('c'), true);
  expect(kept()).toHaveLength(3);
  expect(await namesOf(one)).toEqual(['a', 'b']);
  expect(await namesOf(other)).toEqual(['a', 'c']);
  expect(await namesOf(low)).toEqual(['a']);
});

test('what somebody reads is copied, by another process too', async () => {
  const low = await layer(null, [file('a', '1')]);
  using reader = await plainTrees().mount(low, opts);
  const one = await step(trees, low, write('b'));
  expect(readdirSync(reader.root)).toEqual(['a']);
  expect(await namesOf(one)).toEqual(['a', 'b']);
});

test('steps that want one tree at the same time all get what it shows', async () => {
  const low = await layer(null, [file('a', '1')]);
  const names = ['p', 'q', 'r', 's'];
  const made = await Promise.all(names.map((name, i) => step(i % 2 ? trees : plainTrees(), low, write(name))));
  for (const [i, ref] of made.entries()) expect(await namesOf(ref)).toEqual(['a', names[i]]);
});

test('readers of what has no tree yet make it once', async () => {
  const low = await layer(await layer(null, [file('a', '1')]), [file('b', '2')]);
  const mounts = await Promise.all([trees, plainTrees(), trees].map((one) => one.mount(low, opts)));
  expect(kept()).toHaveLength(1);
  for (const one of mounts) {
    expect(readdirSync(one.root)).toEqual(['a', 'b']);
    one[Symbol.dispose]();
  }
});

test('the tree of a step that failed is thrown away, and what was below is made again', async () => {
  const low = await layer(null, [file('a', '1')]);
  const one = await step(trees, low, write('b'));
  {
    using failed = await trees.mountActive(one, opts);
    writeFileSync(path.join(failed.root, 'half'), '');
  }
  expect(kept()).toEqual([]);
  expect(readdirSync(store.paths.work(store.leaseId))).toEqual([]);
  expect(await namesOf(one)).toEqual(['a', 'b']);
});

test('layers between two steps are laid on the tree', async () => {
  const low = await layer(null, [dir('d'), file('d/a', '1'), file('d/gone', '')]);
  const one = await step(trees, low, write('b'));
  const copied = await layer(one, [dir('d'), file('d/.wh.gone', ''), file('d/c', '3')]);
  const two = await step(trees, copied, (root) => rmSync(path.join(root, 'd/a')));
  expect(kept()).toEqual([await treeOf(two)]);
  using mounted = await trees.mount(two, opts);
  expect(readdirSync(path.join(mounted.root, 'd'))).toEqual(['c']);
  expect(await changesOf(two)).toEqual(['d', 'd/.wh.a']);
});

test('a file that is written to leaves its other names', async () => {
  const low = await layer(null, [file('a', 'old'), link('b', 'a')]);
  const one = await step(trees, low, (root) => appendFileSync(path.join(root, 'a'), ' new'));
  using mounted = await trees.mount(one, opts);
  expect(readFileSync(path.join(mounted.root, 'a'), 'utf8')).toBe('old new');
  expect(readFileSync(path.join(mounted.root, 'b'), 'utf8')).toBe('old');
});

test('nothing below: a step begins with an empty directory', async () => {
  using tree = await trees.mountActive(null, opts);
  expect(readdirSync(tree.root)).toEqual([]);
  using empty = await trees.mount(null, opts);
  expect(existsSync(empty.root) && readdirSync(empty.root)).toBeFalsy();
});

test('a step of another isolation, which left no layer, is refused', async () => {
  const id = store.refs.newId();
  await store.refs.save({ id });
  await expect(trees.mount(id, opts)).rejects.toMatchObject({ code: 'ISOLATION_UNAVAILABLE' });
  await expect(trees.pack(id)).rejects.toMatchObject({ code: 'ISOLATION_UNAVAILABLE' });
});

const device = (name: string): PackItem => ({
  entry: { path: name, type: 'char', mode: 0o600, ...meta, devMajor: 1, devMinor: 3 },
});

test('a device that could not be made stays in the image, and goes with its directory', async () => {
  const low = await layer(null, [dir('d'), device('d/null')]);
  {
    using mounted = await trees.mount(low, opts);
    rmSync(path.join(mounted.root, 'd/null'), { force: true }); // as root it could
    expect(mounted.view.list('d')).toEqual(['null']);
    expect(mounted.view.lstat('d/null')).toMatchObject({ type: 'char', devMajor: 1, devMinor: 3 });
  }
  const one = await step(trees, low, write('d/new'));
  expect(await changesOf(one)).toEqual(['d', 'd/new']);
  const two = await step(trees, one, (root) => {
    rmSync(path.join(root, 'd'), { recursive: true });
    mkdirSync(path.join(root, 'd'));
  });
  expect(await changesOf(two)).toEqual(['d', 'd/.wh.new', 'd/.wh.null']);
});

test('devices of the layers that the tree lacks are known', async () => {
  const low = await layer(null, [dir('dev'), device('dev/null'), device('dev/there'), device('dev/gone')]);
  const top = await layer(low, [dir('dev'), file('dev/.wh.gone', '')]);
  const at = path.join(base, 'devices');
  mkdirSync(path.join(at, 'dev'), { recursive: true });
  writeFileSync(path.join(at, 'dev/there'), '');
  const contents = await ChainContents.of(top, store.refs, new LayerContent(store), opts);
  expect([...contents.devicesMissingIn(takeInventory(at, opts))]).toEqual(['dev/null']);
});

describe('where the disk can have one owner only', () => {
  const owned = (item: PackItem, uid: number, gid: number): PackItem => ({
    ...item,
    entry: { ...item.entry, uid, gid },
  });
  const theirs = (item: PackItem): PackItem => owned(item, 5, 6);
  const items = [theirs(dir('d')), theirs(file('d/a', '1')), theirs(file('d/b', '2')), owned(file('c', '3'), 0, 0)];
  const touch = (full: string): void => chmodSync(full, statSync(full).mode & 0o7777);

  test('owners of the layers stay, also of what is changed, and what is new is root’s', async () => {
    const single = plainTrees(false, 'recorded');
    const linked = [theirs(dir('e')), theirs(file('e/x', '')), theirs(link('e/y', 'e/x'))]; // which is parted
    const low = await layer(null, [...items, ...linked]);
    const one = await step(single, low, (root) => {
      appendFileSync(path.join(root, 'd/a'), ' more');
      renameSync(path.join(root, 'd/b'), path.join(root, 'moved'));
      writeFileSync(path.join(root, 'd/new'), '');
      touch(path.join(root, 'c'));
    });
    const { entries } = await new LayerContent(store).toc((await store.refs.layer(one))!, opts);
    expect(entries.map(({ path: name, uid, gid }) => [name, uid, gid].join(' '))).toEqual([
      'd 5 6',
      'd/a 5 6',
      'd/.wh.b 0 0',
      'd/new 0 0',
      'moved 5 6',
    ]);
    using mounted = await single.mount(one, opts);
    expect(mounted.view.lstat('d/a')).toMatchObject({ uid: 5, gid: 6 });
  });

  test('what was touched and is as before may have been given to root, so the step is refused', async () => {
    const low = await layer(null, items);
    for (const name of ['d', 'd/a']) {
      const refused = step(plainTrees(false, 'recorded'), low, (root) => touch(path.join(root, name)));
      await expect(refused).rejects.toMatchObject({ code: 'ISOLATION_UNAVAILABLE' });
    }
  });
});

describe.skipIf(!isRoot)('with mounts (need root)', () => {
  test('what is only read cannot be written to, and nothing stays mounted', async () => {
    const mounting = plainTrees(true);
    const low = await layer(null, [file('a', '1')]);
    {
      using mounted = await mounting.mount(low, opts);
      expect(readdirSync(mounted.root)).toEqual(['a']);
      expect(() => mkdirSync(path.join(mounted.root, 'b'))).toThrow('read-only');
    }
    const one = await step(mounting, low, write('c'));
    expect(await namesOf(one)).toEqual(['a', 'c']);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(store.paths.root);
    expect(readdirSync(store.paths.work(store.leaseId))).toEqual([]);
  });
});

describe.skipIf(!isRoot)('beside overlays (need root)', () => {
  const items = [
    dir('bin'),
    file('bin/sh', 'shell'),
    link('bin/ash', 'bin/sh'),
    dir('etc'),
    file('etc/conf', 'conf'),
    dir('opt'),
    file('opt/x', 'x'),
  ];
  const at = 1_600_000_000;
  const timed = (full: string, content: string): void => {
    writeFileSync(full, content);
    utimesSync(full, at, at);
  };
  const steps: readonly ((root: string) => void)[] = [
    (root) => {
      timed(`${root}/etc/conf`, 'CONF');
      utimesSync(`${root}/etc/conf`, 1000, 1000);
      timed(`${root}/bin/sh`, 'other shell');
      rmSync(`${root}/opt`, { recursive: true });
      mkdirSync(`${root}/opt`);
      timed(`${root}/opt/y`, 'y');
      linkSync(`${root}/opt/y`, `${root}/opt/z`);
      for (const name of ['opt', 'etc', 'bin']) utimesSync(`${root}/${name}`, at, at);
    },
    (root) => {
      timed(`${root}/opt/y`, 'changed');
      timed(`${root}/etc/conf`, 'CONF');
      utimesSync(`${root}/etc/conf`, 1000, 1000);
      symlinkSync('y', `${root}/opt/l`);
      timed(`${root}/new`, '');
      for (const name of ['opt', 'etc']) utimesSync(`${root}/${name}`, at, at);
      rmSync(`${root}/opt/l`);
      utimesSync(`${root}/opt`, at, at);
    },
  ];

  test('the same steps give the same layers', async () => {
    const stacking = new OverlayStacking(store.paths.trees, 'overlay-trusted');
    const layers = new LayerContent(store);
    const overlays = new StackedTrees({
      store,
      layers,
      dialect: 'trusted',
      stacking,
      keepsLayers: false,
      owners: 'on-disk',
      onProgress: undefined,
    });
    const low = await layer(null, items);
    const diffIds = async (at: Trees): Promise<readonly (DiffId | undefined)[]> => {
      const found: (DiffId | undefined)[] = [];
      let ref = low;
      for (const change of steps) {
        ref = await step(at, ref, change);
        await at.pack(ref, opts);
        found.push((await store.refs.layer(ref))?.diffId);
      }
      return found;
    };
    const wanted = await diffIds(overlays);
    expect(new Set(wanted).size).toBe(2);
    expect(await diffIds(trees)).toEqual(wanted);
    expect(await diffIds(plainTrees(true))).toEqual(wanted);
  });
});
