import { expect, test } from 'vitest';
import type { Entry } from './entry.js';
import { type PackItem, packLayer } from './pack.js';
import type { Toc } from './toc.js';
import { TocView } from './toc-view.js';
import { opaqueEntry, whiteoutEntry } from './whiteout.js';

const base: Entry = { path: '', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 7 };
const file = (path: string, text = ''): PackItem => ({
  entry: { ...base, path, size: text.length },
  content: { kind: 'bytes', bytes: Buffer.from(text) },
});
const dir = (path: string, mode = 0o755): PackItem => ({ entry: { ...base, path, type: 'dir', mode } });
const symlink = (path: string, linkname: string): PackItem => ({ entry: { ...base, path, type: 'symlink', linkname } });
const hardlink = (path: string, linkname: string): PackItem => ({
  entry: { ...base, path, type: 'hardlink', linkname },
});

/** A view whose contents come from the tars by range, as from uncompressed blobs. */
function viewOf(...layers: PackItem[][]): TocView {
  const tars: Buffer[] = [];
  const tocs = layers.map((items): Toc => {
    const parts: Buffer[] = [];
    const toc = packLayer(items, (bytes) => parts.push(Buffer.from(bytes)));
    tars.push(Buffer.concat(parts));
    return toc;
  });
  return new TocView(tocs, async function* (layer, entry) {
    yield tars[layer]!.subarray(entry.dataOffset, entry.dataOffset! + entry.size);
  });
}

const textOf = async (view: TocView, path: string): Promise<string | undefined> =>
  (await view.readFile(path, 1000))?.toString('latin1');

test('later layers replace, remove and hide', async () => {
  const view = viewOf(
    [dir('d'), file('d/a', '1'), file('d/b', '2'), dir('o'), file('o/x', '3'), file('gone', '4')],
    [file('d/a', 'new'), { entry: whiteoutEntry('gone') }, file('o/y', '5'), { entry: opaqueEntry('o') }],
  );
  expect(view.list('')).toEqual(['d', 'o']);
  expect(view.list('d')).toEqual(['a', 'b']);
  expect(view.list('o')).toEqual(['y']);
  expect(await textOf(view, 'd/a')).toBe('new');
  expect(await textOf(view, 'd/b')).toBe('2');
  expect(view.lstat('gone')).toBeUndefined();
  expect(view.list('d/a')).toBeUndefined();
});

test('an entry through a linked directory lands where the link leads, and lstat follows none', async () => {
  const view = viewOf([dir('usr'), dir('usr/lib', 0o711), symlink('lib', 'usr/lib')], [file('lib/x', 'here')]);
  expect(await textOf(view, 'usr/lib/x')).toBe('here');
  expect(view.lstat('lib')?.type).toBe('symlink');
  expect(view.lstat('lib/x')).toBeUndefined();
  expect(view.lstat('usr/lib')?.mode).toBe(0o711);
});

test('implied parents are 0:0 0755 unless they are there', () => {
  const view = viewOf([dir('a', 0o700)], [file('a/b/c')]);
  expect(view.lstat('a')?.mode).toBe(0o700);
  expect(view.lstat('a/b')).toEqual({ path: 'a/b', type: 'dir', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0 });
});

test('hard links are one file; one to an older layer parts from the other names there', async () => {
  const view = viewOf([file('a', 'text'), hardlink('b', 'a'), file('c')], [hardlink('d', 'b')]);
  const [a, b, d] = ['a', 'b', 'd'].map((path) => view.lstat(path)!);
  expect(a!.inode).toBeUndefined();
  expect(b!.inode).toBeDefined();
  expect(d!.inode).toBe(b!.inode);
  expect(d!.type).toBe('file');
  for (const path of ['a', 'b', 'd']) expect(await textOf(view, path)).toBe('text');
  expect(view.contentDigest('d')).toBe(view.contentDigest('a'));
});

test('the bytes of passwd are at hand, large files are refused', async () => {
  const toc = packLayer([file('etc/passwd', 'root:x:0:0')], () => undefined);
  const view = new TocView([toc], () => {
    throw new Error('nothing is to be opened');
  });
  expect(await textOf(view, 'etc/passwd')).toBe('root:x:0:0');
  await expect(view.readFile('etc/passwd', 5)).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
  expect(await view.readFile('etc', 5)).toBeUndefined();
  expect(() => view.open('etc/none')).toThrow(/no file/);
});

test('the root has the time that it is given', () => {
  const open = (): never => {
    throw new Error('nothing is read');
  };
  expect(new TocView([], open, 77).lstat('')?.mtime).toBe(77);
});
