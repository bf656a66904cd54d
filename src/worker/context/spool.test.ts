import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Spool } from './spool.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-spool-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('what was added lies where it was said', () => {
  const spool = new Spool(path.join(dir, 'a'));
  const files = Array.from({ length: 200 }, (_, i) => Buffer.alloc((i * 7919) % 50_000, `file ${i} `));
  const places = files.map((bytes) => spool.add(bytes)!);
  expect(spool.flush()).toBe(true);
  const all = readFileSync(spool.file);
  expect(files.every((bytes, i) => all.subarray(places[i], places[i]! + bytes.length).equals(bytes))).toBe(true);
  expect(spool.add(Buffer.from('more'))).toBe(all.length);
  expect(spool.flush() && readFileSync(spool.file, 'latin1').endsWith('more')).toBe(true);
});

test('large files are not kept, and nothing is made for none', () => {
  const spool = new Spool(path.join(dir, 'b'));
  expect(spool.add(Buffer.alloc(200_000))).toBeUndefined();
  expect(spool.flush()).toBe(true);
  expect(existsSync(spool.file)).toBe(false);
});

test('a fault that is not a full disk is thrown', () => {
  mkdirSync(path.join(dir, 'c'));
  const spool = new Spool(path.join(dir, 'c'));
  spool.add(Buffer.from('x'));
  expect(() => spool.flush()).toThrow('EISDIR');
});
