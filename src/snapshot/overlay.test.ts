import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fromText } from '../base/bytes.js';
import { copyTree } from './copy-tree.js';
import { maxLowers, mountActive, mountView, unmountTree } from './overlay.js';

const root = process.getuid?.() === 0;
const dir = mkdtempSync(path.join(tmpdir(), 'slipway-overläy-')); // stores may lie below a home of any name
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const signal = new AbortController().signal;
const opts = { dir, userxattr: false };

function tree(name: string, files: Readonly<Record<string, string>>): string {
  for (const [file, content] of Object.entries({ '.keep': '', ...files })) {
    mkdirSync(path.dirname(path.join(dir, name, file)), { recursive: true });
    writeFileSync(path.join(dir, name, file), content);
  }
  mkdirSync(path.join(dir, 'm'), { recursive: true });
  return name;
}

function mounted(work: () => void): void {
  try {
    work();
  } finally {
    unmountTree(path.join(dir, 'm'));
  }
}

test('a stack that does not fit is refused in words', () => {
  const lowers = Array.from({ length: 100 }, (_, i) => `${'long-name-'.repeat(5)}${i}`);
  expect(() => mountView(lowers, 'm', opts)).toThrow(expect.objectContaining({ code: 'ISOLATION_UNAVAILABLE' }));
  expect(() => mountView(['a:b', 'c'], 'm', opts)).toThrow('not a plain name');
  expect(maxLowers(20)).toBeGreaterThan(127);
});

describe.skipIf(!root)('mounts (need root)', () => {
  test('a view stacks trees and takes no writes; one tree is bound', () => {
    mountView([tree('a', { x: '1', y: '1' }), tree('b', { y: '2' })], 'm', opts);
    mounted(() => {
      expect(readFileSync(`${dir}/m/x`, 'utf8') + readFileSync(`${dir}/m/y`, 'utf8')).toBe('12');
      expect(() => writeFileSync(`${dir}/m/z`, '')).toThrow(expect.objectContaining({ code: 'EROFS' }));
    });
    mountView(['a'], 'm', opts);
    mounted(() => {
      expect(readFileSync(`${dir}/m/y`, 'utf8')).toBe('1');
      expect(() => writeFileSync(`${dir}/m/z`, '')).toThrow(expect.objectContaining({ code: 'EROFS' }));
    });
  });

  test('an active mount keeps its changes in the upper directory', () => {
    for (const name of ['up', 'work', 'up0', 'work0']) mkdirSync(path.join(dir, name));
    mountActive(['a', 'b'], 'up', 'work', 'm', { ...opts, volatile: true });
    mounted(() => writeFileSync(`${dir}/m/x`, 'new'));
    expect(readFileSync(`${dir}/up/x`, 'utf8')).toBe('new');
    expect(readFileSync(`${dir}/a/x`, 'utf8')).toBe('1');
    mountActive([], 'up0', 'work0', 'm', opts);
    mounted(() => writeFileSync(`${dir}/m/first`, ''));
    expect(readdirSync(`${dir}/up0`)).toEqual(['first']);
  });

  test('as many trees as promised fit into one mount', () => {
    const count = maxLowers(24);
    const lowers = Array.from({ length: count }, (_, i) => `trees/${String(i).padStart(18, '0')}`);
    lowers.forEach((name, i) => tree(name, { [`f${i}`]: '' }));
    for (const name of ['upM', 'workM']) mkdirSync(path.join(dir, name));
    mountActive(lowers, 'upM', 'workM', 'm', opts);
    mounted(() => expect(readdirSync(`${dir}/m`)).toHaveLength(count + 1));
  });

  test('a copy of what a view shows is the merged tree, whole', () => {
    tree('low', { 'd/f': '1', gone: '', exe: 'x' });
    chmodSync(`${dir}/low/exe`, 0o4755);
    linkSync(`${dir}/low/exe`, `${dir}/low/exe2`);
    symlinkSync('exe', `${dir}/low/link`);
    for (const name of ['upper1', 'work1', 'flat']) mkdirSync(path.join(dir, name));
    mountActive(['low'], 'upper1', 'work1', 'm', opts);
    mounted(() => rmSync(`${dir}/m/gone`));
    mountView(['low', 'upper1'], 'm', opts);
    mounted(() => copyTree(fromText(`${dir}/m`), fromText(`${dir}/flat`), { signal }));
    expect(readdirSync(`${dir}/flat`)).toEqual(['.keep', 'd', 'exe', 'exe2', 'link']);
    const exe = lstatSync(`${dir}/flat/exe`, { bigint: true });
    expect([Number(exe.mode & 0o7777n), exe.nlink, exe.mtimeNs]).toEqual([
      0o4755,
      2n,
      lstatSync(`${dir}/low/exe`, { bigint: true }).mtimeNs,
    ]);
    expect(existsSync(`${dir}/m/d`)).toBe(false);
  });
});
