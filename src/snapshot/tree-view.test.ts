import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { toFsPath } from '../base/bytes.js';
import { lutimesNs, mknod } from '../base/linux/inode.js';
import { bindMount, unmount } from '../base/linux/mount.js';
import { lsetxattr } from '../base/linux/xattr.js';
import { TreeView } from './tree-view.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-view-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
mkdirSync(`${dir}/d`);
writeFileSync(`${dir}/d/f`, 'content');
chmodSync(`${dir}/d/f`, 0o4711);
lutimesNs(`${dir}/d/f`, 0n, -1_500_000_000n);
symlinkSync('d', `${dir}/link`);
symlinkSync('/etc/passwd', `${dir}/out`);
linkSync(`${dir}/d/f`, `${dir}/g`);
writeFileSync(toFsPath(`${dir}/\xff`), '');
writeFileSync(`${dir}/a.b`, '');
execFileSync('mkfifo', [`${dir}/pipe`]);
const view = new TreeView(dir);

test('entries', () => {
  const entry = view.lstat('d/f');
  expect(entry).toMatchObject({ path: 'd/f', type: 'file', mode: 0o4711, size: 7, mtime: -2, mtimeNanoseconds: 5e8 });
  expect(view.lstat('g')?.inode).toBe(entry?.inode);
  expect(entry?.inode).toBeDefined();
  expect(view.lstat('d')).toMatchObject({ type: 'dir', size: 0 });
  expect(view.lstat('link')).toMatchObject({ type: 'symlink', linkname: 'd', size: 0 });
  expect(view.lstat('pipe')?.type).toBe('fifo');
  expect(view.lstat('\xff')).toMatchObject({ path: '\xff', type: 'file' });
  expect(view.lstat('')).toMatchObject({ path: '', type: 'dir' });
  expect(view.lstat('none/of/it')).toBeUndefined();
  expect(view.lstat('d/f/below-a-file')).toBeUndefined();
});

test('names in byte order', () => {
  expect(view.list('')).toEqual(['a.b', 'd', 'g', 'link', 'out', 'pipe', '\xff']);
  expect(view.list('d/f')).toBeUndefined();
  expect(view.list('none')).toBeUndefined();
});

test('attributes without those of overlayfs', () => {
  lsetxattr(`${dir}/d`, 'user.kept', Buffer.from('v'));
  lsetxattr(`${dir}/d`, 'user.overlay.opaque', Buffer.from('y'));
  expect([...(view.lstat('d')?.xattrs ?? [])]).toEqual([['user.kept', Buffer.from('v')]]);
});

test('no link is followed, in the middle or at the end', async () => {
  expect(view.lstat('link/f')).toBeUndefined();
  expect(view.list('link')).toBeUndefined();
  expect(await view.readFile('link/f', 100)).toBeUndefined();
  expect(await view.readFile('out', 100)).toBeUndefined();
  await expect(view.open('out').next()).rejects.toThrow('not a regular file');
});

test('content', async () => {
  expect(await view.readFile('d/f', 7)).toEqual(Buffer.from('content'));
  await expect(view.readFile('d/f', 6)).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
  expect(await view.readFile('d', 6)).toBeUndefined();
  expect(await view.readFile('pipe', 6)).toBeUndefined();
  const chunks: Buffer[] = [];
  for await (const chunk of view.open('g')) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe('content');
});

test.skipIf(process.getuid?.() !== 0)('a device on a mount without devices is no file (needs root)', async () => {
  mkdirSync(`${dir}/mounted`);
  bindMount(dir, `${dir}/mounted`, { nodev: true });
  try {
    mknod(`${dir}/mounted/device`, 'char', 0o666, 1, 3);
    const mounted = new TreeView(`${dir}/mounted`);
    expect(mounted.lstat('device')?.type).toBe('char');
    expect(await mounted.readFile('device', 100)).toBeUndefined();
    await expect(mounted.open('device').next()).rejects.toThrow('not a regular file');
  } finally {
    unmount(`${dir}/mounted`);
  }
});

test.each([
  ['nothing', 0],
  ['a few bytes', 5],
  ['as much as is read at once', 256 * 1024],
  ['more than is read at once', 600_000],
])('the digest of a file with %s', (_, size) => {
  const content = randomBytes(size);
  const root = path.join(dir, `digest-${size}`);
  mkdirSync(root);
  writeFileSync(path.join(root, 'file'), content);
  symlinkSync('file', path.join(root, 'link'));
  const hashed = new TreeView(root);
  expect(hashed.contentDigest('file')).toBe(`sha256:${createHash('sha256').update(content).digest('hex')}`);
  expect(() => hashed.contentDigest('link')).toThrow('not a regular file: link');
});
