import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { lockPath } from '../../base/path-lock.js';
import { removeTree } from '../../base/remove-tree.js';
import { mediaTypes, type Descriptor } from '../../oci/descriptor.js';
import { digestOf, type Digest, type DiffId } from '../../oci/digest.js';
import { parseReference } from '../../oci/reference.js';
import { tryLock } from '../lock.js';
import { Store, type OpenStore } from '../store.js';
import { collectGarbage } from './collect.js';
import { listStore } from './listing.js';
import { Reach } from './reach.js';
import { Roots } from './roots.js';
import type { PruneSpec } from './select.js';
import { Sweeper, type Removal } from './sweeper.js';

const base = mkdtempSync(path.join(tmpdir(), 'slipway-gc-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };
let root: string;
let count = 0;

beforeEach(() => {
  root = path.join(base, String(count++));
});

async function open(): Promise<OpenStore> {
  return await Store.open(root, opts);
}

async function blob(store: Store, text: string): Promise<Descriptor> {
  return { mediaType: mediaTypes.layer, digest: await store.blobs.putBytes(Buffer.from(text)), size: text.length };
}

/** A step with a layer and a tree, and a record that leads to it. */
async function step(store: Store, id: string, parent?: string): Promise<Digest> {
  const layer = await blob(store, `layer of ${id}`);
  const tree = `t${id}`;
  store.holding.holdNew('tree', tree);
  mkdirSync(path.join(store.paths.trees, tree));
  await store.refs.saveLayer(id, { diffId: layer.digest as string as DiffId, blob: layer });
  await store.refs.saveTree(id, 'trusted', tree);
  await store.refs.save({ id, ...(parent !== undefined && { parent }) });
  const key = digestOf(`key of ${id}`);
  await store.records.saveResults(key, [id]);
  return key;
}

async function image(store: Store, name: string | undefined, layers: readonly string[]): Promise<Digest> {
  const config = { ...(await blob(store, '{"rootfs":{}}')), mediaType: mediaTypes.config };
  const own = await Promise.all(layers.map((id) => blob(store, `layer of ${id}`)));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: own }));
  const digest = await store.blobs.putBytes(bytes);
  const target = { mediaType: mediaTypes.manifest, digest, size: bytes.length };
  await store.images.tag(target, name === undefined ? [] : [parseReference(name)], opts);
  return digest;
}

async function collect(all = false, matches?: PruneSpec['matches']): Promise<void> {
  const { store, lease } = await open();
  const removeTrees = async (dirs: readonly string[]): Promise<void> => dirs.forEach(removeTree);
  await collectGarbage(store, { all, ...(matches && { matches }) }, { ...opts, removeTrees });
  await lease.release();
}

test('what is known of a build context goes with the directory, and with all that can be found out again', async () => {
  const { store, lease } = await open();
  const there = { dir: base, ignore: '' };
  const gone = { dir: path.join(base, 'gone'), ignore: '' };
  for (const one of [there, gone]) await store.contexts.write(one, Buffer.from('known'));
  writeFileSync(path.join(store.paths.contexts, 'damaged'), '');
  await lease.release();
  await collect();
  expect(store.contexts.read(there)).toEqual(Buffer.from('known'));
  expect(readdirSync(store.paths.contexts).length).toBe(1);
  await collect(true);
  expect(readdirSync(store.paths.contexts)).toEqual([]);
});

test('what an image is made of stays, with `all` only what it consists of', async () => {
  const { store, lease } = await open();
  await step(store, 'rbase');
  await step(store, 'rtop', 'rbase');
  await step(store, 'rother', 'rbase');
  await image(store, 'app:1', ['rbase', 'rtop']);
  await lease.release();
  await collect();
  const listing = listStore(store.paths);
  expect([...listing.refs.keys()].toSorted()).toEqual(['rbase', 'rtop']);
  expect(listing.trees.toSorted()).toEqual(['trbase', 'trtop']);
  expect([listing.blobs.size, listing.records.length]).toEqual([4, 2]);
  await collect(true);
  const rest = listStore(store.paths);
  expect([rest.refs.size, rest.trees.length, rest.blobs.size, rest.records.length]).toEqual([0, 0, 4, 0]);
});

test('what a job holds stays, with all that it leads to, until the job is over', async () => {
  const job = await open();
  const key = await step(job.store, 'rlow');
  await step(job.store, 'rhigh', 'rlow');
  await job.lease.release();
  const other = await open();
  const ids = await other.store.records.results(key);
  await other.store.holding.hold('ref', ...ids!);
  await collect(true);
  const { refs, trees, blobs, records } = listStore(other.store.paths);
  expect([[...refs.keys()], trees, blobs.size, records.length]).toEqual([['rlow'], ['trlow'], 1, 1]);
  await other.lease.release();
  await collect(true);
  expect(listStore(other.store.paths).refs.size).toBe(0);
});

test('an image without a name goes, and its entry before its blobs; not while a job holds it', async () => {
  const job = await open();
  await image(job.store, undefined, []);
  await collect();
  expect((await job.store.images.list()).length).toBe(1);
  await job.lease.release();
  await collect();
  expect(await job.store.images.list()).toEqual([]);
  expect(listStore(job.store.paths).blobs.size).toBe(0);
});

test('what a job begins to hold between two spans stays; who wants to hold something waits for the span', async () => {
  const { store, lease } = await open();
  const [first, second] = [await blob(store, 'first'), await blob(store, 'second')];
  await lease.release();
  const [collector, job] = [await open(), await open()];
  const { paths } = collector.store;
  const reach = new Reach(paths, listStore(paths));
  const slow = (): void => {
    for (const until = performance.now() + 50; performance.now() < until;); // the span is over after this one
  };
  const removal = ({ digest }: Descriptor, before: () => void): Removal => {
    const isNeeded = (): boolean => (before(), reach.blobs.has(digest));
    return { path: paths.blob(digest), by: 'temp', isNeeded };
  };
  let holding: Promise<void> | undefined;
  let isHeld = false;
  const removals = [
    removal(first, () => {
      holding = job.store.holding.hold('blob', second.digest).then(() => void (isHeld = true));
      slow();
      expect(isHeld).toBe(false);
    }),
    removal(second, () => undefined),
  ];
  const sweeper = new Sweeper(paths, new Roots(paths), reach, paths.temp(collector.store.leaseId));
  const removed = await sweeper.sweep(removals, async () => await holding, opts);
  expect(removed).toEqual([removals[0]]);
  expect([existsSync(paths.blob(first.digest)), existsSync(paths.blob(second.digest))]).toEqual([false, true]);
  await Promise.all([collector.lease.release(), job.lease.release()]);
});

test('who waits to hold something and is canceled gets the reason, and holds nothing', async () => {
  const { store, lease } = await open();
  const gate = await lockPath(store.paths.gcLock, 'file', 'exclusive', opts);
  const stop = new AbortController();
  const job = await Store.open(root, { signal: stop.signal });
  const waiting = job.store.holding.hold('ref', 'r1');
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  gate.release();
  expect(readFileSync(store.paths.lease(job.store.leaseId), 'utf8')).not.toContain('r1');
  await Promise.all([lease.release(), job.lease.release()]);
});

test('a job that ends while garbage is collected leaves its holds to the collector', async () => {
  const { store, lease } = await open();
  const { paths } = store;
  const collecting = tryLock(paths.pruneLock)!;
  writeFileSync(paths.heir, '');
  const job = await open();
  await job.store.holding.hold('ref', 'r1');
  await job.lease.release();
  expect(new Roots(paths).news().held).toEqual([{ kind: 'ref', name: 'r1' }]);
  collecting.release();
  // What a collector has left that was killed is removed by the next job that ends.
  await (await open()).lease.release();
  expect(existsSync(paths.heir)).toBe(false);
  await lease.release();
});

test('what killed jobs and collectors have left is removed', async () => {
  const { store, lease } = await open();
  const { paths } = store;
  await step(store, 'rlost');
  rmSync(path.join(paths.records, readdirSync(paths.records)[0]!), { recursive: true });
  mkdirSync(path.join(paths.trees, 'gone-1/below'), { recursive: true });
  for (const file of [path.join(root, 'tmp/dead'), paths.lock('step-1'), paths.lock('cache-1')])
    writeFileSync(file, '');
  await lease.release();
  await collect();
  const { refs, trees, blobs, locks } = listStore(paths);
  expect([refs.size, trees, blobs.size]).toEqual([0, [], 0]);
  expect(locks.filter((name) => name.includes('-'))).toEqual([]);
  expect(readdirSync(path.join(root, 'tmp'))).toEqual([]);
});

test('what is known of a stack of layers goes with the first of them that goes', async () => {
  const { store, lease } = await open();
  const layers: Digest[] = [];
  for (const name of ['low', 'high', 'lost']) layers.push((await blob(store, `layer of ${name}`)).digest);
  const [low, high, lost] = layers as [Digest, Digest, Digest];
  await image(store, 'kept', ['low', 'high']);
  await store.records.saveFact('stack-1', { layers: [low, high] });
  await store.records.saveFact('stack-2', { layers: [lost, high] });
  await store.records.saveFact('stack-3', { tops: [] });
  await lease.release();
  await collect(true);
  expect([...listStore(store.paths).facts.keys()].filter((name) => name.startsWith('stack'))).toEqual(['stack-1']);
});

test('what came since the oldest running job began stays; what is remembered of no image goes with all the rest', async () => {
  const { store, lease } = await open();
  await step(store, 'rold');
  await store.records.saveFact('http-1', {});
  await lease.release();
  const { paths } = store;
  const long = Date.now() / 1000 - 3600;
  for (const { file } of listStore(paths).records) utimesSync(file, long, long);
  const job = await open();
  const other = await open();
  await step(other.store, 'rnew');
  await other.lease.release();
  await collect(true, ({ type }) => type === 'regular');
  expect([...listStore(paths).refs.keys()]).toEqual(['rnew']);
  expect([...listStore(paths).facts.keys()]).toContain('http-1');
  await job.lease.release();
  await collect(true);
  const { refs, facts } = listStore(paths);
  expect([refs.size, [...facts.keys()]]).toEqual([0, []]);
});
