import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareBytes } from '../base/bytes.js';
import { digestOf } from '../oci/digest.js';
import type { Entry } from './entry.js';
import { type PackItem, packLayer } from './pack.js';
import { paddingOf } from './tar-format.js';
import { encodeHeader, TAR_END } from './tar-writer.js';
import { buildToc } from './toc.js';
import { compareTreeOrder } from './tree-order.js';

let scratch = '';
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'slipway-pack-'));
});
afterEach(() => rmSync(scratch, { recursive: true }));

const entry = (name: string, size: number): Entry => ({
  path: name,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size,
  mtime: 5,
});

function pack(items: readonly PackItem[]) {
  const parts: Buffer[] = [];
  const toc = packLayer(items, (bytes) => parts.push(Buffer.from(bytes)));
  return { toc, bytes: Buffer.concat(parts) };
}

test('bytes, files and ranges give the same layer, whatever their sizes', () => {
  const sizes = [0, 1, 511, 512, 513, 4096, (1 << 20) - 512, (1 << 20) - 511, 1 << 20, (1 << 20) + 1, 3_333_333];
  const all = Buffer.alloc(4_000_000, 'some content ');
  const big = path.join(scratch, 'big');
  writeFileSync(big, all);
  const expected: Buffer[] = [];
  const items = sizes.map((size, i): PackItem => {
    const bytes = all.subarray(i, i + size);
    const one = entry(`f${i}`, size);
    expected.push(encodeHeader(one), bytes, Buffer.alloc(paddingOf(size)));
    const file = path.join(scratch, `f${i}`);
    writeFileSync(file, bytes);
    const content = [
      { kind: 'bytes', bytes } as const,
      { kind: 'file', file } as const,
      { kind: 'range', file: big, offset: i } as const,
    ][i % 3]!;
    return { entry: one, content, digest: digestOf(bytes) };
  });
  const { toc, bytes } = pack(items);
  expect(bytes.equals(Buffer.concat([...expected, TAR_END]))).toBe(true);
  expect(toc.size).toBe(bytes.length);
  expect(toc.diffId).toBe(digestOf(bytes));
});

test('the table of contents is the one that reading the layer gives', async () => {
  const passwd = Buffer.from('root:x:0:0::/:/bin/sh\n');
  const { toc, bytes } = pack([
    { entry: { ...entry('etc', 0), type: 'dir' } },
    { entry: entry('etc/passwd', passwd.length), content: { kind: 'bytes', bytes: passwd } },
    { entry: { ...entry('etc/group', 0), type: 'symlink', linkname: '\xc3\xa9' } },
    { entry: { ...entry('hard', 0), type: 'hardlink', linkname: 'etc/passwd' } },
    { entry: { ...entry('zero', 0), type: 'char', devMajor: 1, devMinor: 5 } },
    { entry: { ...entry('cap', 0), xattrs: new Map([['security.capability', Buffer.from([1, 0, 255])]]) } },
  ]);
  expect(await buildToc([bytes])).toEqual(toc);
  expect(toc.entries[1]!.bytes).toEqual(passwd);
  const { dataOffset } = toc.entries[1]!;
  expect(bytes.subarray(dataOffset, dataOffset! + passwd.length)).toEqual(passwd);
});

test('of the extended attributes only capabilities are written', () => {
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  const one = {
    ...entry('f', 0),
    xattrs: new Map([
      ['user.x', Buffer.from('y')],
      ['security.capability', capability],
    ]),
  };
  const { toc, bytes } = pack([
    { entry: one },
    { entry: { ...one, path: 'g', xattrs: new Map([['user.x', capability]]) } },
  ]);
  expect([...toc.entries[0]!.xattrs!]).toEqual([['security.capability', capability]]);
  expect(toc.entries[1]!.xattrs).toBeUndefined();
  expect(bytes.includes('user.x')).toBe(false);
});

test('a file that is not what it was is refused', () => {
  const file = path.join(scratch, 'f');
  writeFileSync(file, '12345');
  const changed = { code: 'CONTEXT_INVALID', message: '`f` changed while it was read' };
  const content = { kind: 'file', file } as const;
  const failureOf = (item: PackItem): unknown => {
    try {
      pack([item]);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  expect(failureOf({ entry: entry('f', 5), content })).toBeUndefined();
  expect(failureOf({ entry: entry('f', 4), content })).toMatchObject(changed);
  expect(failureOf({ entry: entry('f', 6), content })).toMatchObject(changed);
  expect(failureOf({ entry: entry('f', 5), content, digest: digestOf('1234x') })).toMatchObject(changed);
  expect(failureOf({ entry: entry('f', 5) })).toMatchObject(changed);
  expect(failureOf({ entry: entry('f', 4), content: { kind: 'range', file, offset: 2 } })).toMatchObject(changed);
});

test('a link or a pipe put in the place of a file is not read', () => {
  const secret = path.join(scratch, 'secret');
  writeFileSync(secret, '12345');
  symlinkSync(secret, path.join(scratch, 'link'));
  execFileSync('mkfifo', [path.join(scratch, 'pipe')]);
  for (const name of ['link', 'pipe', 'nothing']) {
    const item: PackItem = { entry: entry('f', 5), content: { kind: 'file', file: path.join(scratch, name) } };
    expect(() => pack([item])).toThrow('`f` changed while it was read');
  }
});

test('the order of a tree is the order of its walk', () => {
  expect(['a.b', 'a', 'a-b', 'a/x', 'b', 'a/x/y', 'a/x-'].sort(compareTreeOrder)).toEqual([
    'a',
    'a/x',
    'a/x/y',
    'a/x-',
    'a-b',
    'a.b',
    'b',
  ]);
  const name = fc.stringMatching(/^[-./0ab\xff]{1,3}$/).map((text) => text.replaceAll('/', '0'));
  const paths = fc.array(
    fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(paths, (list) => {
      const byParts = (a: string, b: string): number => {
        const [x, y] = [a.split('/'), b.split('/')];
        for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return compareBytes(x[i]!, y[i]!);
        return x.length - y.length;
      };
      expect([...list].sort(compareTreeOrder)).toEqual([...list].sort(byParts));
    }),
  );
});

test('sha256 of nothing is known for empty files', () => {
  expect(pack([{ entry: entry('empty', 0) }]).toc.entries[0]!.digest).toBe(
    `sha256:${createHash('sha256').digest('hex')}`,
  );
});
