import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { removeTree } from './remove-tree.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-remove-'));
afterAll(() => execFileSync('rm', ['-rf', dir]));

test('a tree that is deeper than any path may be is removed, and nothing beside it or behind its links', () => {
  const deep = path.join(dir, 'deep');
  mkdirSync(deep);
  mkdirSync(path.join(dir, 'beside'));
  writeFileSync(path.join(dir, 'beside', 'file'), '');
  const script = `
    const { mkdirSync, symlinkSync, writeFileSync } = require('node:fs');
    for (let i = 0; i < 40; i++) {
      mkdirSync('n'.repeat(200));
      process.chdir('n'.repeat(200));
      writeFileSync('file', '');
      symlinkSync(process.argv[1], 'link');
    }`;
  execFileSync(process.execPath, ['-e', script, path.join(dir, 'beside')], { cwd: deep });
  symlinkSync(path.join(dir, 'beside'), path.join(deep, 'link'));
  expect(() => rmSync(deep, { recursive: true, force: true })).toThrow('ENAMETOOLONG');
  removeTree(deep);
  expect(readdirSync(dir)).toEqual(['beside']);
  expect(readdirSync(path.join(dir, 'beside'))).toEqual(['file']);
});

test('a directory that is not there is no error', () => {
  removeTree(path.join(dir, 'nothing'));
});
