import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { openInRoot } from './open-in-root.js';

const base = mkdtempSync(path.join(tmpdir(), 'slipway-open-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const root = path.join(base, 'root');

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(`${root}/a/b`, { recursive: true });
  writeFileSync(`${root}/a/f`, 'inside');
  writeFileSync(`${base}/f`, 'outside');
  symlinkSync('/a', `${root}/abs`);
  symlinkSync('../../../..', `${root}/up`);
  symlinkSync('../../../../f', `${root}/a/out`);
  symlinkSync('loop', `${root}/loop`);
});

function leadsTo(name: string): string | undefined {
  const fd = openInRoot(root, name);
  if (fd === undefined) return undefined;
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).slice(root.length);
  } finally {
    closeSync(fd);
  }
}

test('paths and links stay inside the root; what is not there is undefined', () => {
  const open = readdirSync('/proc/self/fd').length;
  expect(leadsTo('/abs/b/../f')).toBe('/a/f');
  expect(leadsTo('up/up/abs')).toBe('/a');
  expect(leadsTo('../../..')).toBe('');
  expect(leadsTo('')).toBe('');
  expect(leadsTo('a/out')).toBeUndefined();
  expect(leadsTo('a/f/x')).toBeUndefined();
  expect(leadsTo('missing/x')).toBeUndefined();
  expect(() => leadsTo('loop/x')).toThrow('too many links');
  expect(readdirSync('/proc/self/fd').length).toBe(open);
});

test('what was opened stays what it was, whatever takes its name', () => {
  const fd = openInRoot(root, 'a')!;
  renameSync(`${root}/a`, `${root}/moved`);
  symlinkSync(base, `${root}/a`);
  expect(readFileSync(`/proc/self/fd/${fd}/f`, 'utf8')).toBe('inside');
  closeSync(fd);
});
