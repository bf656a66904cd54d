import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fromText } from '../../base/bytes.js';
import { unmountBelow } from '../../base/linux/mounts-below.js';
import { pinSource } from './pinned-source.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-pin-'));
const cache = path.join(base, 'cache');
const points = path.join(base, 'points');
afterAll(() => {
  unmountBelow(fromText(base));
  rmSync(base, { recursive: true });
});
mkdirSync(points);
mkdirSync(`${cache}/a/b`, { recursive: true });
writeFileSync(`${cache}/a/b/f`, 'cached');
mkdirSync(`${base}/machine/b`, { recursive: true });
writeFileSync(`${base}/machine/b/f`, 'of the machine');

test.skipIf(process.getuid?.() !== 0)(
  'a source stays what it was, whatever another RUN puts there (needs root)',
  () => {
    const closers: (() => void)[] = [];
    const dir = pinSource(cache, '/a/b', false, points, closers);
    const file = pinSource(cache, 'a/b/f', true, points, closers);
    renameSync(`${cache}/a`, `${cache}/moved`);
    symlinkSync(`${base}/machine`, `${cache}/a`);
    expect(readFileSync(`${dir}/f`, 'utf8')).toBe('cached');
    writeFileSync(`${dir}/new`, '');
    expect(readdirSync(`${cache}/moved/b`)).toEqual(['f', 'new']);
    expect(readFileSync(file, 'utf8')).toBe('cached');
    expect(() => writeFileSync(file, 'x')).toThrow('EROFS');
    expect(() => pinSource(cache, 'a/b', false, points, closers)).toThrow('"a/b": not found');
    for (const close of closers) close();
    expect(readdirSync(dir)).toEqual([]);
  },
);

test('what is missing is named', () => {
  expect(() => pinSource(cache, '/none', false, points, [])).toThrow(
    expect.objectContaining({ code: 'PATH_NOT_FOUND', message: '"/none": not found' }),
  );
});
