import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { fromText } from '../../base/bytes.js';
import { digestOf } from '../../oci/digest.js';
import { parseFilter } from '../file-op/path-filter.js';
import { ContextView } from './context-view.js';

const work = mkdtempSync(path.join(tmpdir(), 'slipway-context-'));
afterAll(() => rmSync(work, { recursive: true }));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(work, 'c'));
});

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, data] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), data);
  }
}

function all(view: ContextView, at = ''): readonly string[] {
  return (view.list(at) ?? []).flatMap((name) => {
    const below = at === '' ? name : `${at}/${name}`;
    return [below, ...all(view, below)];
  });
}

async function read(view: ContextView, at: string): Promise<string> {
  return (await view.readFile(at, 1000))!.toString();
}

test('files are root’s, with mode, whole seconds and links as they are', async () => {
  write({ 'd/f': 'hello' });
  chmodSync(path.join(dir, 'd/f'), 0o4751);
  utimesSync(path.join(dir, 'd/f'), 1.9, 1234567890.999);
  symlinkSync('../../outside', path.join(dir, 'd/l'));
  const view = new ContextView(dir);
  expect(view.lstat('d/f')).toEqual({
    path: 'd/f',
    type: 'file',
    mode: 0o4751,
    uid: 0,
    gid: 0,
    size: 5,
    mtime: 1234567890,
  });
  expect(view.lstat('d/l')).toMatchObject({ type: 'symlink', mode: 0o777, size: 0, linkname: '../../outside' });
  expect(await read(view, 'd/f')).toBe('hello');
  expect(view.contentDigest('d/f')).toBe(digestOf('hello'));
  expect(view.knownDigests()).toEqual({ 'd/f': digestOf('hello') });
});

test('no link is followed but the context itself', () => {
  write({ 'd/f': 'x' });
  symlinkSync('d', path.join(dir, 'l'));
  symlinkSync(dir, `${dir}-link`);
  const view = new ContextView(`${dir}-link`);
  expect(view.list('')).toEqual(['d', 'l']);
  expect(view.list('l')).toBeUndefined();
  expect(view.lstat('l/f')).toBeUndefined();
  expect(view.lstat('d/f/x')).toBeUndefined();
  expect(view.lstat('nope/x')).toBeUndefined();
});

test('names are bytes, in byte order', async () => {
  const odd = Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0x2e])]);
  writeFileSync(odd, 'odd');
  write({ é: '1', z: '2', Z: '3' });
  const view = new ContextView(dir);
  expect(view.list('')).toEqual(['Z', 'z', fromText('é'), '\xff.']);
  expect(await read(view, '\xff.')).toBe('odd');
});

test('what is ignored is not there, but parents of exceptions are', () => {
  write({ 'a/x': '', 'a/y/z': '', 'b/x': '', 'c/d/e': '', 'c/d/f': '', top: '' });
  const view = (...patterns: string[]): readonly string[] =>
    all(new ContextView(dir, { ignore: parseFilter('exclude', patterns) }));
  expect(view('a', 'c/d/f')).toEqual(['b', 'b/x', 'c', 'c/d', 'c/d/e', 'top']);
  expect(view('*', '!c/d/e')).toEqual(['c', 'c/d', 'c/d/e']);
  expect(view('*', '!b', '!**/z')).toEqual(['a', 'a/y', 'a/y/z', 'b', 'b/x']);
  expect(view('a', '!a/nothing')).toEqual(['b', 'b/x', 'c', 'c/d', 'c/d/e', 'c/d/f', 'top']);
});

test('an ignored directory that cannot be read is no error', () => {
  write({ 'secret/x': '', f: '' });
  renameSync(path.join(dir, 'secret'), path.join(dir, 'gone'));
  const view = new ContextView(dir, { ignore: parseFilter('exclude', ['gone']) });
  rmSync(path.join(dir, 'gone'), { recursive: true });
  expect(all(view)).toEqual(['f']);
});

test('hard links share an inode, other files have none', async () => {
  write({ a: 'x', b: 'y' });
  const { linkSync } = await import('node:fs');
  linkSync(path.join(dir, 'a'), path.join(dir, 'c'));
  const view = new ContextView(dir);
  expect(view.lstat('a')!.inode).toBeDefined();
  expect(view.lstat('a')!.inode).toBe(view.lstat('c')!.inode);
  expect(view.lstat('b')!.inode).toBeUndefined();
});

const changes: readonly (readonly [string, () => void])[] = [
  ['gone', () => rmSync(path.join(dir, 'f'))],
  ['longer', () => writeFileSync(path.join(dir, 'f'), 'longer')],
  ['touched', () => utimesSync(path.join(dir, 'f'), 5, 5)],
  ['replaced', () => (writeFileSync(path.join(dir, 'n'), 'x'), renameSync(path.join(dir, 'n'), path.join(dir, 'f')))],
  ['a link', () => (rmSync(path.join(dir, 'f')), symlinkSync('/etc/passwd', path.join(dir, 'f')))],
];

test.each(changes)('a file that was seen and then is %s is an error', async (_, change) => {
  write({ f: 'x' });
  const view = new ContextView(dir);
  expect(view.lstat('f')!.size).toBe(1);
  change();
  const expected = expect.objectContaining({ code: 'CONTEXT_INVALID', message: expect.stringContaining('`/f`') });
  expect(() => view.contentDigest('f')).toThrow(expected);
  await expect(read(view, 'f')).rejects.toEqual(expected);
});

test('bytes that are not those of the digest that came along are an error', async () => {
  write({ f: 'x' });
  const view = new ContextView(dir);
  view.expect({ f: digestOf('y') });
  expect(view.knownDigest('f')).toBe(digestOf('y'));
  await expect(read(view, 'f')).rejects.toMatchObject({ code: 'CONTEXT_INVALID' });
});

test('a context that is not there is an error with a hint', () => {
  expect(() => new ContextView(path.join(dir, 'nope')).list('')).toThrow(
    expect.objectContaining({ code: 'CONTEXT_INVALID' }),
  );
});
