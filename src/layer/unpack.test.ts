import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lgetxattr } from '../base/linux/xattr.js';
import type { Entry } from './entry.js';
import { LayerPacker, type PackItem, packLayer } from './pack.js';
import { describeTree, describeView } from './testdata/read-tree.js';
import { encodeHeader, TAR_END } from './tar-writer.js';
import { parseToc, serializeToc } from './saved-toc.js';
import type { Toc } from './toc.js';
import { TocView } from './toc-view.js';
import { opaqueEntry, whiteoutEntry } from './whiteout.js';
import { unpackLayer, type UnpackOptions } from './unpack.js';

const isRoot = process.getuid?.() === 0;
let scratch = '';
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'slipway-unpack-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const base: Entry = { path: '', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 1_000_000_000 };
const file = (name: string, text = name, over: Partial<Entry> = {}): PackItem => ({
  entry: { ...base, path: name, size: text.length, ...over },
  content: { kind: 'bytes', bytes: Buffer.from(text) },
});
const dir = (name: string, over: Partial<Entry> = {}): PackItem => ({
  entry: { ...base, path: name, type: 'dir', mode: 0o755, ...over },
});
const symlink = (name: string, linkname: string): PackItem => ({
  entry: { ...base, path: name, type: 'symlink', mode: 0o777, linkname },
});
const hardlink = (name: string, linkname: string, over: Partial<Entry> = {}): PackItem => ({
  entry: { ...base, path: name, type: 'hardlink', linkname, ...over },
});
const gone = (name: string): PackItem => ({ entry: whiteoutEntry(name) });
const opaque = (name: string): PackItem => ({ entry: opaqueEntry(name) });

function tarOf(items: readonly PackItem[]): Buffer {
  const parts: Buffer[] = [];
  packLayer(items, (bytes) => parts.push(Buffer.from(bytes)));
  return Buffer.concat(parts);
}

const noContent = (): never => {
  throw new Error('not to be opened');
};

function makeDir(name: string): string {
  const folder = path.join(scratch, name);
  mkdirSync(folder);
  return folder;
}

/** All layers in one place, each changing what the ones before left. */
async function unpackPlain(layers: readonly (readonly PackItem[])[], name = 'plain'): Promise<string> {
  const target = makeDir(name);
  const tocs: Toc[] = [];
  for (const items of layers) {
    const lower = new TocView(tocs, noContent);
    const { toc } = await unpackLayer([tarOf(items)], target, { dialect: 'plain', lower });
    tocs.push(toc);
  }
  return target;
}

/** One tree for each layer, lowest first. */
async function unpackStack(
  layers: readonly (readonly PackItem[])[],
  over: Partial<UnpackOptions> = {},
): Promise<string[]> {
  const trees: string[] = [];
  const tocs: Toc[] = [];
  for (const [i, items] of layers.entries()) {
    const target = makeDir(`layer${i}`);
    const lower = new TocView(tocs, noContent);
    const lowerDirs = [...trees].reverse();
    const { toc } = await unpackLayer([tarOf(items)], target, {
      dialect: 'overlay-trusted',
      lower,
      lowerDirs,
      ...over,
    });
    tocs.push(toc);
    trees.push(target);
  }
  return trees;
}

async function viewOf(layers: readonly (readonly PackItem[])[]): Promise<TocView> {
  return new TocView(
    layers.map((items) => packLayer(items, () => undefined)),
    noContent,
  );
}

/** What a mount of the trees shows; undefined where this machine does not let us mount. */
function mounted(trees: readonly string[], how: 'overlay' | 'fuse' = 'overlay'): string[] | undefined {
  const point = path.join(scratch, 'mount');
  if (!existsSync(point)) mkdirSync(point);
  const lowers = [...trees].reverse();
  if (lowers.length === 1) lowers.push(makeDir('nothing'));
  try {
    const options = ['-o', `ro,lowerdir=${lowers.join(':')}`];
    const [program, args] =
      how === 'fuse' ? ['fuse-overlayfs', options] : ['mount', ['-t', 'overlay', ...options, 'overlay']];
    execFileSync(program, [...args, point], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  try {
    return describeTree(point);
  } finally {
    execFileSync('umount', [point]);
  }
}

const capability = new Map([['security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex')]]);

const everything: readonly PackItem[] = [
  dir('bin', { mode: 0o1777 }),
  file('bin/su', 'su', { mode: 0o4755, uid: 12, gid: 34 }),
  hardlink('bin/sudo', 'bin/su', { mode: 0o4755, uid: 12, gid: 34 }),
  file('bin/ping', 'ping', { mode: 0o755, xattrs: capability }),
  file('bin/\xff\xfe name', 'bytes', { mtime: -5 }),
  symlink('lib', 'usr/lib'),
  file('lib/x', 'through the link'),
  { entry: { ...base, path: 'null', type: 'char', mode: 0o666, devMajor: 1, devMinor: 3 } },
  { entry: { ...base, path: 'disk', type: 'block', mode: 0o660, gid: 6, devMajor: 259, devMinor: 70_000 } },
  { entry: { ...base, path: 'pipe', type: 'fifo', mode: 0o600 } },
  file('implied/parent/f'),
];

test.skipIf(!isRoot)('every type, owner, mode, time and attribute arrives (needs uid 0)', async () => {
  const tree = await unpackPlain([everything]);
  expect(describeTree(tree)).toEqual(describeView(await viewOf([everything])));
  const su = statSync(path.join(tree, 'bin/su'));
  expect([su.mode & 0o7777, su.uid, su.gid, su.nlink]).toEqual([0o4755, 12, 34, 2]);
  expect(readFileSync(path.join(tree, 'usr/lib/x'), 'latin1')).toBe('through the link');
  expect(statSync(path.join(tree, 'bin')).mtimeMs).toBe(1_000_000_000_000);
});

test.skipIf(!isRoot)('no entry leads out of the root', async () => {
  const outside = makeDir('outside');
  writeFileSync(path.join(outside, 'victim'), 'safe');
  const up = '../'.repeat(40);
  const tree = await unpackPlain([
    [
      file(`../../escape1`),
      file(`/escape2`),
      symlink('out', outside),
      file('out/escape3'),
      symlink('rel', `${up}${outside.slice(1)}`),
      file('rel/victim', 'overwritten'),
      symlink('victim', path.join(outside, 'victim')),
      hardlink('hard', 'out/victim2'),
    ].slice(0, 6),
  ]);
  expect(readFileSync(path.join(outside, 'victim'), 'latin1')).toBe('safe');
  expect(existsSync(path.join(outside, 'escape3'))).toBe(false);
  for (const name of ['escape1', 'escape2', `${outside}/escape3`, `${outside}/victim`]) {
    expect(lstatSync(path.join(tree, name)).isFile()).toBe(true);
  }
  expect(readFileSync(path.join(tree, outside, 'victim'), 'latin1')).toBe('overwritten');
});

test.skipIf(!isRoot)('a link put in the place of a directory in a later layer is resolved inside as well', async () => {
  const outside = makeDir('outside');
  const layers = [[dir('d'), file('d/f')], [symlink('d', outside)], [file('d/f', 'new')], [gone('d/f')]];
  const tree = await unpackPlain(layers);
  expect(existsSync(path.join(outside, 'f'))).toBe(false);
  expect(describeTree(tree)).toEqual(describeView(await viewOf(layers)));
  const trees = await unpackStack(layers);
  expect(lstatSync(path.join(trees[2]!, outside, 'f')).isFile()).toBe(true);
  expect(existsSync(path.join(outside, 'f'))).toBe(false);
});

const hostile: readonly (readonly [string, readonly PackItem[]])[] = [
  ['is a hard link to', [hardlink('h', '../../../etc/passwd')]],
  ['is a hard link to', [dir('d'), hardlink('h', 'd')]],
  ['is a hard link to', [file('f'), hardlink('f', 'f')]],
  ['is not a directory', [file('f'), file('f/g')]],
  ['too many links', [symlink('a', 'b'), symlink('b', 'a'), file('a/x')]],
  ['a whiteout of no name', [file('d/.wh..')]],
  ['a whiteout of no name', [file('d/.wh...')]],
  ['a whiteout of no name', [file('.wh.')]],
  ['a path is too long', [symlink('a', 'x/'.repeat(2000)), file(`a/${'y/'.repeat(1000)}z`)]],
];

test.skipIf(!isRoot).each(hostile)('refused: %s %#', async (message, items) => {
  await expect(unpackPlain([items])).rejects.toMatchObject({
    code: 'ARCHIVE_INVALID',
    message: expect.stringContaining(message),
  });
  expect(() => new TocView([packLayer(items, () => undefined)], noContent)).toThrow(message);
});

test.skipIf(!isRoot)('overlayfs gets no commands from a layer', async () => {
  const xattrs = new Map([
    ['trusted.overlay.redirect', Buffer.from('/secret')],
    ['user.overlay.opaque', Buffer.from('y')],
    ['trusted.other', Buffer.from('kept')],
  ]);
  const tree = makeDir('tree');
  const archive = Buffer.concat([encodeHeader(dir('d', { xattrs }).entry), TAR_END]);
  await unpackLayer([archive], tree, { dialect: 'overlay-trusted' });
  expect(lgetxattr(path.join(tree, 'd'), 'trusted.overlay.redirect')).toBeUndefined();
  expect(lgetxattr(path.join(tree, 'd'), 'user.overlay.opaque')).toBeUndefined();
  expect(lgetxattr(path.join(tree, 'd'), 'trusted.other')?.toString()).toBe('kept');
});

test.skipIf(!isRoot)(
  'overlay markers: only for what is below, and a new directory over an old one is opaque',
  async () => {
    const layers = [
      [dir('d'), file('d/f'), dir('e', { mode: 0o700, uid: 5 }), file('e/f'), file('keep/x')],
      [gone('d'), dir('d'), file('d/new'), gone('e/f'), gone('e/never'), opaque('keep')],
    ];
    const trees = await unpackStack(layers);
    const upper = trees[1]!;
    expect(lgetxattr(path.join(upper, 'd'), 'trusted.overlay.opaque')?.toString()).toBe('y');
    expect(lgetxattr(path.join(upper, 'keep'), 'trusted.overlay.opaque')?.toString()).toBe('y');
    expect(lgetxattr(path.join(upper, 'e'), 'trusted.overlay.opaque')).toBeUndefined();
    expect(statSync(path.join(upper, 'e/f')).rdev).toBe(0);
    expect(statSync(path.join(upper, 'e/f')).isCharacterDevice()).toBe(true);
    expect(existsSync(path.join(upper, 'e/never'))).toBe(false);
    expect([statSync(path.join(upper, 'e')).mode & 0o7777, statSync(path.join(upper, 'e')).uid]).toEqual([0o700, 5]);
    const shown = mounted(trees);
    if (shown) expect(shown).toEqual(describeView(await viewOf(layers)));
  },
);

test.skipIf(!isRoot)('trees for overlayfs in a user namespace have its markers', async () => {
  const layers = [
    [dir('d'), file('d/f'), file('e')],
    [gone('d'), dir('d'), gone('e')],
  ];
  const upper = (await unpackStack(layers, { dialect: 'overlay-user' }))[1]!;
  expect(lgetxattr(path.join(upper, 'd'), 'user.overlay.opaque')?.toString()).toBe('y');
  expect(lgetxattr(path.join(upper, 'd'), 'trusted.overlay.opaque')).toBeUndefined();
  expect(statSync(path.join(upper, 'e')).isCharacterDevice()).toBe(true);
});

test.skipIf(!isRoot)('a character device 0:0, overlayfs’s marker, acts as one', async () => {
  const layers = [
    [file('a'), file('b')],
    [{ entry: { ...base, path: 'a', type: 'char', devMajor: 0, devMinor: 0 } } as PackItem],
  ];
  expect((await viewOf(layers)).list('')).toEqual(['b']);
  expect(describeTree(await unpackPlain(layers))).toEqual(describeView(await viewOf(layers)));
  const shown = mounted(await unpackStack(layers));
  if (shown) expect(shown).toEqual(describeView(await viewOf(layers)));
});

test.skipIf(!isRoot)('a hard link to a file of a lower layer brings its content up', async () => {
  const layers = [
    [dir('a', { mode: 0o711 }), file('a/f', 'content', { uid: 7 })],
    [file('x')],
    [hardlink('b', 'a/f', { uid: 7 })],
  ];
  const trees = await unpackStack(layers);
  const upper = trees[2]!;
  expect(readFileSync(path.join(upper, 'b'), 'latin1')).toBe('content');
  expect(statSync(path.join(upper, 'b')).ino).toBe(statSync(path.join(upper, 'a/f')).ino);
  expect(statSync(path.join(upper, 'a')).mode & 0o7777).toBe(0o711);
});

test.skipIf(!isRoot)('in a plain tree it leaves the older names as they were', async () => {
  const layers = [
    [file('a', 'text'), hardlink('b', 'a'), symlink('s', 'a'), hardlink('t', 's')],
    [hardlink('c', 'a', { mode: 0o600 }), hardlink('u', 's', { mtime: 3 })],
  ];
  const tree = await unpackPlain(layers);
  expect(describeTree(tree)).toEqual(describeView(await viewOf(layers)));
  expect(statSync(path.join(tree, 'b')).ino).not.toBe(statSync(path.join(tree, 'a')).ino);
  expect(readFileSync(path.join(tree, 'c'), 'latin1')).toBe('text');
});

test.skipIf(!isRoot)('in a plain tree a file that is written again leaves the time of its directory', async () => {
  const layers = [[file('c', ''), hardlink('b/b/a', 'c')], [hardlink('a', 'b/b/a')]];
  expect(describeTree(await unpackPlain(layers))).toEqual(describeView(await viewOf(layers)));
});

const name = fc.constantFrom('a', 'b', 'c');
const anyPath = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const attributes = fc.record({
  mode: fc.nat(0o7777),
  uid: fc.nat(9),
  mtime: fc.integer({ min: -99, max: 2_000_000_000 }),
});
const anyItem: fc.Arbitrary<PackItem> = fc.oneof(
  fc
    .record({ path: anyPath, text: fc.string(), over: attributes })
    .map((one) => file(one.path, one.text, one.over))
    .filter(({ content, entry }) => content?.kind === 'bytes' && content.bytes.length === entry.size),
  fc.record({ path: anyPath, over: attributes }).map((one) => dir(one.path, one.over)),
  fc
    .record({
      path: anyPath,
      to: fc.oneof(
        anyPath,
        anyPath.map((to) => `/${to}`),
        anyPath.map((to) => `../${to}`),
      ),
    })
    .map((one) => symlink(one.path, one.to)),
  fc.record({ path: anyPath, to: anyPath, over: attributes }).map((one) => hardlink(one.path, one.to, one.over)),
  fc
    .record({ path: anyPath, over: attributes })
    .map((one) => ({ entry: { ...base, path: one.path, type: 'fifo', ...one.over } }) satisfies PackItem),
  fc.record({ path: anyPath, to: anyPath, over: attributes }).map((one) => hardlink(one.path, one.to, one.over)),
  anyPath.map(gone),
  anyPath.map(opaque),
);
/** Layers that can be laid on each other: items that a tree refuses are left out. */
const anyLayers = fc.array(fc.array(anyItem, { maxLength: 12 }), { minLength: 1, maxLength: 4 }).map((layers) => {
  const sound: PackItem[][] = [];
  for (const items of layers) {
    sound.push([]);
    for (const item of items) {
      sound.at(-1)!.push(item);
      try {
        new TocView(
          sound.map((one) => packLayer(one, () => undefined)),
          noContent,
        );
      } catch {
        sound.at(-1)!.pop();
      }
    }
  }
  return sound;
});

test.skipIf(!isRoot)(
  'table of contents, plain tree and mounted overlay agree, whatever the layers',
  async () => {
    await fc.assert(
      fc.asyncProperty(anyLayers, async (layers) => {
        rmSync(scratch, { recursive: true, force: true });
        mkdirSync(scratch);
        const expected = describeView(await viewOf(layers));
        expect(describeTree(await unpackPlain(layers))).toEqual(expected);
        const shown = mounted(await unpackStack(layers));
        if (shown) expect(shown).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  },
  120_000,
);

test.skipIf(!isRoot || !existsSync('/usr/bin/fuse-overlayfs') || !existsSync('/dev/fuse'))(
  'table of contents and a mount by fuse-overlayfs agree, whatever the layers (needs root)',
  async () => {
    await fc.assert(
      fc.asyncProperty(anyLayers, async (layers) => {
        rmSync(scratch, { recursive: true, force: true });
        mkdirSync(scratch);
        const expected = describeView(await viewOf(layers));
        expect(mounted(await unpackStack(layers, { dialect: 'fuse' }), 'fuse')).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  },
  120_000,
);

test('a table of contents survives its file', () => {
  const parts: Buffer[] = [];
  const packer = new LayerPacker((bytes) => parts.push(Buffer.from(bytes)));
  for (const item of [...everything, file('etc/passwd', 'root:x:0:0::/root:/bin/sh\n')]) packer.add(item);
  const toc = packer.finish();
  expect(parseToc(serializeToc(toc))).toEqual(toc);
  expect(() => parseToc(serializeToc(toc).subarray(0, -5))).toThrow(/damaged/);
});
