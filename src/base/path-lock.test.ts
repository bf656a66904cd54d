import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { tryFlockPath } from './linux/flock.js';
import { packageRoot } from './package-root.js';
import { lockPath, type LockedKind, type LockMode } from './path-lock.js';
import { tryClaimPath } from './portable/claim-lock.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-path-lock-'));
symlinkSync(path.join(packageRoot(), 'node_modules'), path.join(base, 'node_modules'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe.each([
  ['flock', tryFlockPath],
  ['claims', tryClaimPath],
])('%s', (name, tryLock) => {
  const file = path.join(base, `${name}-file`);
  const dir = path.join(base, `${name}-dir`);
  mkdirSync(dir);

  test.each<readonly [string, LockedKind]>([
    [file, 'file'],
    [dir, 'directory'],
  ])('one exclusive lock or many shared ones: %s', (target, kind) => {
    const take = (mode: LockMode) => tryLock(target, kind, mode);
    const held = take('exclusive')!;
    expect([take('exclusive'), take('shared')]).toEqual([undefined, undefined]);
    held.release();
    const [one, two] = [take('shared')!, take('shared')!];
    expect(take('exclusive')).toBeUndefined();
    one.release();
    expect(take('exclusive')).toBeUndefined();
    two.release();
    const again = take('exclusive')!;
    expect(again.stillHas(target)).toBe(true);
    again.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('what must be there is not made', () => {
    const gone = path.join(base, `${name}-gone`);
    expect(() => tryLock(gone, 'existing-file', 'exclusive')).toThrow('ENOENT');
    expect(() => tryLock(path.join(gone, 'below'), 'file', 'exclusive')).toThrow('ENOENT');
    expect(existsSync(gone)).toBe(false);
    expect(() => tryLock(file, 'directory', 'exclusive')).toThrow('ENOTDIR');
  });

  test('a lock knows whether its file still has the name', () => {
    const named = path.join(base, `${name}-named`);
    const lock = tryLock(named, 'file', 'exclusive')!;
    rmSync(named);
    expect(lock.stillHas(named)).toBe(false);
    writeFileSync(named, '');
    lock.release();
  });

  test('of processes that count together, none is lost', { timeout: 60_000 }, async () => {
    const target = path.join(base, `${name}-counted`);
    const count = path.join(base, `${name}-count`);
    writeFileSync(count, '0');
    const script = `${await importOf(name)}
      import { readFileSync, writeFileSync } from 'node:fs';
      import { setTimeout } from 'node:timers/promises';
      for (let i = 0; i < 50; i++) {
        let lock;
        while (!(lock = tryLock(${JSON.stringify(target)}, 'file', 'exclusive'))) await setTimeout(Math.random() * 4);
        const before = Number(readFileSync(${JSON.stringify(count)}, 'utf8'));
        await setTimeout(0);
        writeFileSync(${JSON.stringify(count)}, String(before + 1));
        lock.release();
      }`;
    const codes = [1, 2, 3].map(async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
      return await new Promise((resolve) => child.once('close', resolve));
    });
    expect(await Promise.all(codes)).toEqual([0, 0, 0]);
    expect(readFileSync(count, 'utf8')).toBe('150');
  });

  test('no lock is left of a process that was killed', async () => {
    const target = path.join(base, `${name}-killed`);
    const script = `${await importOf(name)}
      globalThis.lock = tryLock(${JSON.stringify(target)}, 'file', 'exclusive');
      process.stdout.write(lock ? 'held' : 'refused');
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    const ended = new Promise((resolve) => child.once('close', resolve));
    expect(await new Promise((resolve) => child.stdout.once('data', (text) => resolve(String(text))))).toBe('held');
    expect(tryLock(target, 'file', 'shared')).toBeUndefined();
    child.kill('SIGKILL');
    await ended;
    const lock = tryLock(target, 'file', 'exclusive');
    expect(lock).toBeDefined();
    lock!.release();
  });
});

test('a claim that our number made before us, or that was made before the machine was started, is void', () => {
  const target = path.join(base, 'void');
  const claims = path.join(base, '.void.lock');
  mkdirSync(claims);
  const up = Math.floor(os.uptime());
  for (const old of [`exclusive-${process.pid}-0-aa`, `exclusive-${process.ppid}-${up + 1000}-aa`]) {
    writeFileSync(path.join(claims, old), '');
  }
  const lock = tryClaimPath(target, 'file', 'exclusive');
  expect(lock).toBeDefined();
  expect(readdirSync(claims)).toHaveLength(1);
  writeFileSync(path.join(claims, `exclusive-${process.ppid}-${up}-aa`), '');
  lock!.release();
  expect(tryClaimPath(target, 'file', 'exclusive')).toBeUndefined();
});

test('who waits gets the lock when it is given back, and can stop waiting', async () => {
  const target = path.join(base, 'waiting');
  const never = { signal: new AbortController().signal };
  const held = await lockPath(target, 'file', 'exclusive', never);
  const stop = new AbortController();
  const refused = lockPath(target, 'file', 'shared', { signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(refused).rejects.toThrow('enough');
  const waiting = lockPath(target, 'file', 'exclusive', never);
  held.release();
  (await waiting).release();
});

/** Imports one of the two as `tryLock`, bundled into a module that Node.js runs without a compiler. */
async function importOf(name: string): Promise<string> {
  const [source, call] =
    name === 'flock' ? ['linux/flock.ts', 'tryFlockPath'] : ['portable/claim-lock.ts', 'tryClaimPath'];
  const outfile = path.join(base, `${name}.mjs`);
  const { build } = await import('esbuild');
  const entryPoints = [path.join(import.meta.dirname, source)];
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', external: ['koffi'] });
  return `import { ${call} as tryLock } from ${JSON.stringify(outfile)};`;
}
