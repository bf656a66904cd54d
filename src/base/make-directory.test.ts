import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeDirectory } from './make-directory.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-make-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test('a directory is made with its parents, and one that is there stays', () => {
  makeDirectory(path.join(base, 'a/b/c'));
  makeDirectory(path.join(base, 'a/b/c'));
  expect(statSync(path.join(base, 'a/b/c')).isDirectory()).toBe(true);
  mkdirSync(path.join(base, 'real'));
  symlinkSync('real', path.join(base, 'link'));
  makeDirectory(path.join(base, 'link'));
  makeDirectory(path.join(base, 'link/below'));
  expect(statSync(path.join(base, 'real/below')).isDirectory()).toBe(true);
});

test('what cannot be made is an error, also where the kernel makes nothing', () => {
  writeFileSync(path.join(base, 'file'), '');
  expect(() => makeDirectory(path.join(base, 'file'))).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  expect(() => makeDirectory(path.join(base, 'file/below'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
  expect(() => makeDirectory('/proc/slipway/below')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});
