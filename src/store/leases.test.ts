import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { Lease, sweepDeadLeases } from './leases.js';
import { tryLock } from './lock.js';
import { StorePaths } from './paths.js';

const root = mkdtempSync(path.join(tmpdir(), 'slipway-leases-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const paths = new StorePaths(root);

beforeEach(() => {
  for (const name of readdirSync(root)) rmSync(path.join(root, name), { recursive: true });
});

function dead(id: string): void {
  for (const dir of [paths.leases, paths.temp(id), paths.work(id)]) mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(paths.leases, id), '');
}

test('what a dead job left is removed, a live one keeps all it has', async () => {
  dead('dead');
  const lease = Lease.take(paths, { signal: new AbortController().signal });
  mkdirSync(paths.temp(lease.leaseId), { recursive: true });
  await sweepDeadLeases(paths);
  expect([existsSync(paths.temp('dead')), existsSync(paths.work('dead'))]).toEqual([false, true]);
  await sweepDeadLeases(paths, (dir) => rmSync(dir, { recursive: true }));
  expect(existsSync(paths.work('dead'))).toBe(false);
  expect(readdirSync(paths.leases)).toEqual([lease.leaseId]);
  expect(existsSync(paths.temp(lease.leaseId))).toBe(true);
  await lease.release();
  expect(readdirSync(paths.leases)).toEqual([]);
});

test('a leftover that cannot be removed stops no job, and keeps its lease', async () => {
  dead('a');
  dead('b');
  await sweepDeadLeases(paths, (dir) => {
    if (dir === paths.work('a')) throw new Error('no');
    rmSync(dir, { recursive: true });
  });
  expect(readdirSync(paths.leases)).toEqual(['a']);
});

test('a lock knows whether its file was taken away and made again', () => {
  const file = path.join(root, 'file');
  const lock = tryLock(file)!;
  expect(lock.stillHas(file)).toBe(true);
  rmSync(file);
  expect(() => tryLock(file, 'existing')).toThrow('ENOENT');
  writeFileSync(file, '');
  expect(lock.stillHas(file)).toBe(false);
  lock.release();
});
