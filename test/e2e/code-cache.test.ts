import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { V8_FLAGS } from '../../src/worker/process/flags.js';
import { test, type Workspace } from '../support/workspace.js';

/** An installation of its own, whose code was compiled by another version of Node.js. */
function install(work: Workspace): string {
  const dir = work.path('installed');
  mkdirSync(dir);
  for (const one of ['bin', 'dist', 'package.json'])
    cpSync(path.join(packageRoot(), one), path.join(dir, one), { recursive: true });
  symlinkSync(path.join(packageRoot(), 'node_modules'), path.join(dir, 'node_modules'));
  writeFileSync(path.join(dir, 'dist/cli.cache'), 'of another version');
  mkdirSync(work.path('home/.cache'), { recursive: true });
  work.write({ f: 'x' });
  work.dockerfile('FROM scratch\nCOPY f /f\n');
  return dir;
}

/** Runs a command, by default a build that finds all in its cache. Gives what it prints on stdout. */
function slipway(work: Workspace, dir: string, args = ['build', '-q', '-t', 'x', work.context]): string {
  const { XDG_CACHE_HOME: _, NODE_V8_COVERAGE: __, NODE_OPTIONS: ___, ...rest } = process.env;
  const env = { ...rest, HOME: work.path('home'), SLIPWAY_ROOT: work.path('store') };
  const done = spawnSync(process.execPath, [path.join(dir, 'bin/slipway'), ...args], { env, encoding: 'utf8' });
  expect(done.status, done.stderr).toBe(0);
  return done.stdout;
}

function cacheOf(work: Workspace): string | undefined {
  const dir = work.path('home/.cache/slipway');
  const [name] = existsSync(dir) ? readdirSync(dir) : [];
  return name && path.join(dir, name);
}

test('compiled code is kept for the user whose Node.js is another one, and believed only if it is theirs', async ({
  work,
}) => {
  const dir = install(work);
  slipway(work, dir, ['--version']);
  expect(cacheOf(work)).toBeUndefined();
  const digest = slipway(work, dir);
  const file = cacheOf(work)!;
  const whole = readFileSync(file);
  expect(lstatSync(file).mode & 0o777).toBe(0o600);
  const inode = (): string => JSON.stringify(lstatSync(file, { bigint: true }), (_, one: unknown) => String(one));
  const first = inode();
  expect(slipway(work, dir)).toBe(digest);
  expect(inode().replace(/"atime.*?",/g, '')).toBe(first.replace(/"atime.*?",/g, ''));
  const damaged = Buffer.from(whole);
  damaged[whole.length >> 1]! ^= 1;
  const spoilers = [
    () => writeFileSync(file, damaged),
    () => writeFileSync(file, whole.subarray(0, 1000)),
    () => chmodSync(file, 0o666),
    ...(process.getuid?.() === 0 ? [() => chownSync(file, 1234, 1234)] : []),
    () => (rmSync(file), symlinkSync(path.join(dir, 'dist/cli.cjs'), file)),
  ];
  for (const spoil of spoilers) {
    spoil();
    expect(slipway(work, dir)).toBe(digest);
    const { mode, uid } = lstatSync(file);
    expect([mode & 0o777, uid]).toEqual([0o600, process.getuid!()]); // one of its own, in the place of what it did not take
    expect(readFileSync(file).equals(damaged)).toBe(false);
  }
  rmSync(file);
  chmodSync(path.dirname(file), 0o777);
  expect(slipway(work, dir)).toBe(digest);
  expect(cacheOf(work)).toBeUndefined();
});

test('what was compiled when it was built is used by all', async ({ work }) => {
  const dir = install(work);
  cpSync(path.join(packageRoot(), 'dist/cli.cache'), path.join(dir, 'dist/cli.cache'));
  slipway(work, dir);
  expect(cacheOf(work)).toBeUndefined();
});

test('the code that was compiled for the worker is what V8 takes under its flags', () => {
  const root = packageRoot();
  const { NODE_V8_COVERAGE: _, NODE_OPTIONS: __, ...env } = process.env;
  const isCached = (...flags: readonly string[]): string => {
    const file = JSON.stringify(path.join(root, 'dist/worker.cjs'));
    const program = `const { builtCache, compile } = require('./bin/code-cache.cjs');
      console.log(compile(${file}, { candidates: [() => builtCache(${file})] }).isCached === true);`;
    return spawnSync(process.execPath, [...flags, '-e', program], { cwd: root, env, encoding: 'utf8' }).stdout.trim();
  };
  expect(isCached(...V8_FLAGS)).toBe('true');
  expect(isCached()).toBe('false');
});
