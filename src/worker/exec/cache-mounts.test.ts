import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { holdsNothing } from '../../store/lease-file.js';
import { StorePaths } from '../../store/paths.js';
import { CacheMounts } from './cache-mounts.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'slipway-caches-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
for (const dir of ['locks', 'mounts', 'work', 'base']) mkdirSync(path.join(root, dir));
writeFileSync(path.join(root, 'base', 'f'), 'x');

const none = (): void => undefined;
const trees = {
  ensure: () => Promise.resolve(['base']),
  mount: () => ({ root: path.join(root, 'base'), [Symbol.dispose]: none }),
  workDir: () => ({ dir: mkdtempSync(path.join(root, 'work', 'w')), [Symbol.dispose]: none }),
};
const cacheMounts = (): CacheMounts =>
  new CacheMounts({
    store: { paths: new StorePaths(root), holding: holdsNothing },
    trees: trees as never,
    kind: { rung: 'userns', trees: 'overlay' },
  });
const cache = (id: string, sharing: 'shared' | 'private' | 'locked', from: string | null = null) =>
  ({ type: 'cache', id, sharing, from }) as const;
const opts = { signal: new AbortController().signal };
const open = async (mounts: CacheMounts, one: ReturnType<typeof cache>): Promise<string> =>
  (await mounts.open([one], opts))[0]!;

test('shared caches are used together, and stay', async () => {
  using one = cacheMounts();
  using other = cacheMounts();
  const dir = await open(one, cache('a', 'shared'));
  expect(await open(other, cache('a', 'shared'))).toBe(dir);
  expect(await open(other, cache('b', 'shared'))).not.toBe(dir);
});

test('a private cache that is in use gets a sibling, a free one is used again', async () => {
  using one = cacheMounts();
  const dir = await open(one, cache('p', 'private'));
  {
    using other = cacheMounts();
    expect(await open(other, cache('p', 'private'))).not.toBe(dir);
  }
  expect(await open(one, cache('p', 'private'))).toBe(dir);
  one[Symbol.dispose]();
  using later = cacheMounts();
  expect(await open(later, cache('p', 'private'))).toBe(dir);
});

test('a locked cache is waited for', async () => {
  const order: string[] = [];
  const one = cacheMounts();
  using other = cacheMounts();
  const dir = await open(one, cache('l', 'locked'));
  const waiting = open(other, cache('l', 'locked')).then((got) => order.push(got));
  await new Promise((resolve) => setTimeout(resolve, 30));
  order.push('released');
  one[Symbol.dispose]();
  await waiting;
  expect(order).toEqual(['released', dir]);
});

test('two mounts of one RUN share a locked cache', async () => {
  using one = cacheMounts();
  expect(await open(one, cache('t', 'locked'))).toBe(await open(one, cache('t', 'locked')));
});

test('whatever their order in a RUN, locks are taken in one order, so that no two RUNs wait for each other', async () => {
  const [x, y] = [cache('x', 'locked'), cache('y', 'locked')];
  /** Whether a RUN that mounts `first` and then `second`, which is in use, has the lock of `first` meanwhile. */
  const holdsWhileWaiting = async (first: typeof x, second: typeof x): Promise<boolean> => {
    const other = cacheMounts();
    await open(other, second);
    using run = cacheMounts();
    const waiting = run.open([first, second], opts);
    using third = cacheMounts();
    const held = await third.open([first], { signal: AbortSignal.timeout(50) }).then(
      () => false,
      () => true,
    );
    third[Symbol.dispose]();
    other[Symbol.dispose]();
    expect(await waiting).toHaveLength(2);
    return held;
  };
  expect((await holdsWhileWaiting(x, y)) !== (await holdsWhileWaiting(y, x))).toBe(true);
});

test('a wait for a locked cache can be aborted', async () => {
  using one = cacheMounts();
  using other = cacheMounts();
  await open(one, cache('w', 'locked'));
  const waiting = other.open([cache('w', 'locked')], { signal: AbortSignal.timeout(20) });
  await expect(waiting).rejects.toThrow('timeout');
});

test('a cache begins as what it is made from, and is another one for another origin', async () => {
  using one = cacheMounts();
  const dir = await open(one, cache('f', 'shared', 'ref'));
  expect(readdirSync(dir)).toEqual(['f']);
  expect(await open(one, cache('f', 'shared'))).not.toBe(dir);
});
