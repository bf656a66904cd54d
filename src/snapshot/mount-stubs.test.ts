import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { makeMountStubs } from './mount-stubs.js';
import { resolveInRoot } from './resolve-in-root.js';

const base = mkdtempSync(path.join(tmpdir(), 'slipway-stubs-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const root = path.join(base, 'root');

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(`${root}/etc`, { recursive: true });
  writeFileSync(`${root}/etc/hosts`, '');
  symlinkSync('/etc', `${root}/abs`);
  symlinkSync('../../../..', `${root}/up`);
  symlinkSync('loop', `${root}/loop`);
  utimesSync(`${root}/etc`, 1000, 1000);
  utimesSync(root, 1000, 1000);
});

test('paths are resolved inside the root', () => {
  expect(resolveInRoot(root, '/abs/x/../y')).toBe('etc/y');
  expect(resolveInRoot(root, 'up/up/abs')).toBe('etc');
  expect(resolveInRoot(root, '../../..')).toBe('');
  expect(() => resolveInRoot(root, 'loop/x')).toThrow('too many links');
});

test('stubs go with everything above them, which keeps the times of their making', () => {
  const stubs = makeMountStubs(root, [
    { path: '/etc/resolv.conf', type: 'file' },
    { path: '/etc/hosts', type: 'file' },
    { path: '/a/b/c', type: 'dir' },
    { path: '/a/b/d', type: 'file' },
    { path: '/abs/through', type: 'dir' },
  ]);
  expect(existsSync(`${root}/a/b/d`) && existsSync(`${root}/etc/through`)).toBe(true);
  utimesSync(root, 2000, 2000);
  utimesSync(`${root}/etc`, 3000, 3000);
  stubs.remove();
  expect(existsSync(`${root}/a`)).toBe(false);
  expect(existsSync(`${root}/etc/resolv.conf`)).toBe(false);
  expect(existsSync(`${root}/etc/hosts`)).toBe(true);
  expect([lstatSync(root).mtimeMs, lstatSync(`${root}/etc`).mtimeMs]).toEqual([2_000_000, 3_000_000]);
  stubs.remove();
});

test('what was put there meanwhile stays', () => {
  const stubs = makeMountStubs(root, [
    { path: '/cache/dir', type: 'dir' },
    { path: '/etc/resolv.conf', type: 'file' },
  ]);
  writeFileSync(`${root}/cache/dir/kept`, 'x');
  writeFileSync(`${root}/etc/resolv.conf`, 'x');
  writeFileSync(`${root}/etc/new`, 'x');
  utimesSync(`${root}/etc`, 2000, 2000);
  stubs.remove();
  expect(existsSync(`${root}/cache/dir/kept`)).toBe(true);
  expect(existsSync(`${root}/etc/resolv.conf`)).toBe(true);
  expect(lstatSync(`${root}/etc`).mtimeMs).toBe(2_000_000);
});

test('a link that has taken the place of a directory is not followed out of the root', () => {
  mkdirSync(`${base}/machine`);
  writeFileSync(`${base}/machine/lock`, '');
  mkdirSync(`${base}/machine/empty`);
  const stubs = makeMountStubs(root, [
    { path: '/new/lock', type: 'file' },
    { path: '/new/empty', type: 'dir' },
    { path: '/gone/x', type: 'file' },
  ]);
  rmSync(`${root}/new`, { recursive: true });
  symlinkSync(`${base}/machine`, `${root}/new`);
  rmSync(`${root}/gone`, { recursive: true });
  writeFileSync(`${root}/gone`, 'a file now');
  stubs.remove();
  expect(existsSync(`${base}/machine/lock`) && existsSync(`${base}/machine/empty`)).toBe(true);
});

test('a file in the way is named, unless another mount lies over it', () => {
  writeFileSync(`${root}/f`, '');
  const fault = (path: string): unknown => {
    try {
      makeMountStubs(root, [
        { path: '/new', type: 'dir' },
        { path, type: 'dir' },
      ]);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  expect(fault('f/x/y')).toMatchObject({
    code: 'RUN_FAILED',
    message: 'cannot mount on "/f/x/y": "/f" is not a directory',
  });
  expect(fault('/etc/hosts')).toMatchObject({
    code: 'RUN_FAILED',
    message: 'cannot mount on "/etc/hosts": "/etc/hosts" is not a directory',
  });
  expect(existsSync(`${root}/new`)).toBe(false);
  makeMountStubs(root, [
    { path: '/etc', type: 'dir' },
    { path: '/etc/hosts/x', type: 'file' },
  ]).remove();
});
