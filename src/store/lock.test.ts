import { mkdtempSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tryLock, withLock } from './lock.js';
import { Store } from './store.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-lock-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test('who waits for a lock and is canceled gets the reason', async () => {
  const file = path.join(base, 'locks', 'one');
  const held = tryLock(file)!;
  const stop = new AbortController();
  const waiting = withLock(file, stop.signal, async () => 'never');
  const reason = new Error('canceled by the test');
  setTimeout(() => stop.abort(reason), 20);
  await expect(waiting).rejects.toBe(reason);
  held.release();
  expect(await withLock(file, new AbortController().signal, async () => 'mine')).toBe('mine');
});

test('other users can neither look into a store nor hold its locks', async () => {
  const root = path.join(base, 'store');
  const { lease, store } = await Store.open(root, { signal: new AbortController().signal });
  const mode = (file: string): number => statSync(file).mode & 0o777;
  expect([mode(root), mode(store.paths.lock('store'))]).toEqual([0o700, 0o600]);
  await lease.release();
});
