import { expect, test } from 'vitest';
import type { Digest, DiffId } from '../oci/digest.js';
import { parseToc, serializeToc, TOC_HEAD_BYTES, TocFiles, tocSize } from './saved-toc.js';
import type { Toc, TocEntry } from './toc.js';

const toc: Toc = {
  diffId: `sha256:${'a'.repeat(64)}` as DiffId,
  size: 123_456,
  entries: Array.from({ length: 50 }, (_, i) => ({
    path: `file-${i}`,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: i,
    size: 0,
    mtime: 1,
  })),
};

test('the size of a layer is known from the beginning of its table', () => {
  const written = serializeToc(toc);
  expect(parseToc(written).size).toBe(123_456);
  expect(tocSize(written.subarray(0, TOC_HEAD_BYTES))).toBe(123_456);
});

test.each([
  ['nothing', Buffer.of()],
  ['a part of the first line', serializeToc(toc).subarray(0, 50)],
  ['another version', Buffer.from(serializeToc(toc).toString().replace('slipway-toc-', 'slipway-toc-0'))],
])('and unknown from %s', (_, written) => {
  expect(tocSize(written)).toBeUndefined();
});

const usual = { mode: 0o644, uid: 0, gid: 0, size: 3, mtime: 1 };
const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}` as Digest;
const odd: readonly TocEntry[] = [
  { ...usual, path: 'a', type: 'dir', size: 0 },
  { ...usual, path: 'a/"q"\\', type: 'file', digest: digest('1'), dataOffset: 1024 },
  { ...usual, path: 'a/é', type: 'file', digest: digest('2'), dataOffset: 2048 },
  { ...usual, path: 'a-b', type: 'file', digest: digest('3'), dataOffset: 4096, fragments: [{ offset: 0, length: 1 }] },
  { ...usual, path: 'c', type: 'symlink', size: 0, linkname: 'a],\n[b' },
  { ...usual, path: 'd', type: 'file', digest: digest('4'), dataOffset: 8192, xattrs: new Map([['x', Buffer.of(1)]]) },
  { ...usual, path: 'etc/passwd', type: 'file', digest: digest('5'), dataOffset: 9216, bytes: Buffer.from('abc') },
  { ...usual, path: 'z', type: 'char', size: 0, devMajor: 1, devMinor: 3 },
];
const written = serializeToc({ ...toc, entries: odd });

test('every kind of entry comes back', () => {
  expect(parseToc(written).entries).toEqual(odd);
  expect(parseToc(serializeToc(toc))).toEqual(toc);
  expect(parseToc(serializeToc({ ...toc, entries: [] })).entries).toEqual([]);
  for (const cut of [1, 2, 100]) expect(() => parseToc(written.subarray(0, -cut - 1))).toThrow('damaged');
});

test('a table without digests says so, and knows all else', () => {
  const bare = odd.map(({ digest: _digest, ...entry }) => entry);
  const read = parseToc(serializeToc({ ...toc, digests: 'none', entries: bare }));
  expect(read).toEqual({ ...toc, digests: 'none', entries: bare });
  expect(parseToc(written).digests).toBeUndefined();
});

test('files are found in the order of the table, and what it does not have is passed over', () => {
  const files = TocFiles.in(written)!;
  const asked = ['a', 'a/"q"\\', 'a/b', 'a/é', 'a-b', 'b', 'c', 'd', 'etc/passwd', 'f', 'zz'];
  const found = asked.map((path) => files.find(path)?.dataOffset);
  expect(found).toEqual([
    undefined,
    1024,
    undefined,
    2048,
    undefined,
    undefined,
    undefined,
    8192,
    9216,
    undefined,
    undefined,
  ]);
  expect(TocFiles.in(serializeToc({ ...toc, entries: [] }))!.find('a')).toBeUndefined();
  expect(TocFiles.in(Buffer.from('[]'))).toBeUndefined();
  const damaged = Buffer.from(written.toString().replace('["d",', '["d",,'));
  const before = TocFiles.in(damaged)!;
  expect(['a/é', 'd', 'etc/passwd'].map((path) => before.find(path)?.dataOffset)).toEqual([2048, undefined, undefined]);
  for (let end = 0; end < written.length; end += 7) TocFiles.in(written.subarray(0, end))?.find('zz');
});
