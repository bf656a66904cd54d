import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { removeTree } from '../base/remove-tree.js';
import { digestOf } from '../oci/digest.js';
import { checkCache } from './fsck/check-cache.js';
import { repairStore } from './fsck/repair.js';
import { collectGarbage } from './gc/collect.js';
import { listStore } from './gc/listing.js';
import { Store } from './store.js';

const base = mkdtempSync(path.join(tmpdir(), 'slipway-stored-json-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };
const removeTrees = async (dirs: readonly string[]): Promise<void> => dirs.forEach(removeTree);
const key = digestOf('key');
const ODD = ['null', '5', '"x"', '{}', '[]'];

async function makeStore(): Promise<{ readonly store: Store; readonly outside: string }> {
  const dir = mkdtempSync(path.join(base, 's'));
  const { store } = await Store.open(path.join(dir, 'store'), opts);
  mkdirSync(path.join(dir, 'outside/tree'), { recursive: true });
  const outside = path.join(dir, 'outside/package.json');
  writeFileSync(outside, '{"id":"package"}');
  await store.records.saveResults(key, ['rx']);
  return { store, outside };
}

async function repair({ paths }: Store): Promise<void> {
  const listing = listStore(paths);
  const damage = checkCache(paths, listing).filter((one) => one.isStill());
  await repairStore(paths, damage, opts);
}

test('nothing that a store calls a name makes a repair remove what lies outside', async () => {
  const { store, outside } = await makeStore();
  await store.records.saveResults(key, ['../../outside/package']);
  await repair(store);
  for (const [i, leading] of ['parent', 'faces'].entries()) {
    await store.records.saveResults(digestOf(leading), [`r${i}`]);
    await store.refs.save({ id: `r${i}`, [leading]: '../../outside/package' });
    await repair(store);
  }
  expect(existsSync(outside)).toBe(true);
  expect(listStore(store.paths).records).toEqual([]);
});

test('a tree outside of the store is none', async () => {
  const { store } = await makeStore();
  await store.refs.save({ id: 'rx' });
  await store.refs.saveTree('rx', 'plain', '../../outside/tree');
  expect(await store.refs.tree('rx', 'plain')).toBeUndefined();
});

test('a ref that stands on itself is an error', async () => {
  const { store } = await makeStore();
  await store.refs.save({ id: 'rx', parent: 'ry' });
  await store.refs.save({ id: 'ry', parent: 'rx' });
  await expect(store.refs.chain('rx')).rejects.toMatchObject({ code: 'STORE_INVALID' });
});

test('files that hold something else are as good as absent: builds, prune and repair go on', async () => {
  const layer = { diffId: digestOf('d'), blob: { digest: '../x', size: 1 } };
  for (const name of ['rx.json', 'rx.layer.json', 'rx.plain.json', 'record', 'fact']) {
    for (const text of [
      ...ODD,
      '{"tree":5}',
      '{"results":[5]}',
      '{"alias":5}',
      '{"digest":5}',
      JSON.stringify(layer),
    ]) {
      const { store } = await makeStore();
      const { paths, refs, records } = store;
      await refs.save({ id: 'rx' });
      mkdirSync(paths.facts, { recursive: true });
      const [record] = listStore(paths).records;
      const file = { record: record!.file, fact: path.join(paths.facts, 'tag-x') }[name] ?? path.join(paths.refs, name);
      writeFileSync(file, text);
      const read = [refs.layer('rx'), refs.tree('rx', 'plain'), records.alias(key)];
      expect(await Promise.all(read), `${name} ${text}`).toEqual([undefined, undefined, undefined]);
      expect(['rx', undefined]).toContain((await refs.load('rx'))?.id);
      expect([['rx'], undefined]).toContainEqual(await records.results(key));
      await repair(store);
      writeFileSync(file, text);
      await collectGarbage(store, { all: true }, { ...opts, removeTrees });
    }
  }
});
