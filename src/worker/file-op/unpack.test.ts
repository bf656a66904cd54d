import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Entry } from '../../layer/entry.js';
import type { TarEntry } from '../../layer/tar-entry.js';
import { encodeHeader, TAR_END } from '../../layer/tar-writer.js';
import { readArchive, type ArchiveMember } from './archive.js';
import { collectChanges } from './changes.js';
import { Overlay } from './overlay.js';
import { sampleTree } from './sample-tree.js';
import { unpackMembers } from './unpack.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-unpack-'));
afterAll(() => rmSync(dir, { recursive: true }));
const { signal } = new AbortController();

function entry(type: Entry['type'], name: string, more: Partial<Entry> = {}): TarEntry {
  return {
    path: name,
    type,
    mode: 0o644,
    uid: 1,
    gid: 2,
    size: 0,
    mtime: 100,
    rawName: name,
    rawLinkname: more.linkname ?? '',
    dataOffset: 0,
    ...more,
  };
}

const link = (name: string, linkname: string): ArchiveMember => ({ entry: entry('symlink', name, { linkname }) });
const file = (name: string, more?: Partial<Entry>): ArchiveMember => ({ entry: entry('file', name, more) });

async function unpack(members: readonly ArchiveMember[], base = sampleTree({}), at = 't'): Promise<string[]> {
  const overlay = new Overlay({ inputs: [base], base: 0, now: 9000 });
  if (overlay.lstat(at) === undefined) {
    unpackMembers([{ entry: entry('dir', at, { uid: 0, gid: 0, mode: 0o755 }) }], overlay, '', undefined);
  }
  unpackMembers(members, overlay, at, undefined);
  return [...(await collectChanges(overlay)).values()].map((change) => {
    if (change.kind === 'removed') return `- ${change.path}`;
    const { path: name, type, mode, uid, gid, mtime, linkname } = change.entry;
    return `${name} ${type} ${mode.toString(8)} ${uid}:${gid} @${mtime}${linkname === undefined ? '' : ` > ${linkname}`}`;
  });
}

test('links in the archive never lead out of the directory it is unpacked in', async () => {
  const base = sampleTree({ 'etc/': {}, 't/': {} });
  const changes = await unpack(
    [
      { entry: entry('dir', 'etc', { mode: 0o755, uid: 0, gid: 0 }) },
      link('up', '../..'),
      file('up/evil'),
      link('abs', '/etc'),
      file('abs/passwd'),
      link('h', '/../../etc'),
    ],
    base,
  );
  expect(changes).toEqual([
    't dir 755 0:0 @9000',
    't/abs symlink 777 1:2 @100 > /etc',
    't/etc dir 755 0:0 @100',
    't/etc/passwd file 644 1:2 @100',
    't/evil file 644 1:2 @100',
    't/h symlink 777 1:2 @100 > /../../etc',
    't/up symlink 777 1:2 @100 > ../..',
  ]);
});

test('a link to nothing is no directory to unpack into', async () => {
  const nothing = link('l', '/nothing');
  const member = (type: Entry['type'], name: string): ArchiveMember => ({ entry: entry(type, name) });
  await expect(unpack([nothing, file('l/f')])).rejects.toThrow('open /l/f: no such file or directory');
  await expect(unpack([nothing, member('dir', 'l/d')])).rejects.toThrow('mkdir /l/d: no such file or directory');
  await expect(unpack([nothing, link('l/s', 'x')])).rejects.toThrow('symlink x /l/s: no such file or directory');
  await expect(unpack([nothing, file('l/deep/f')])).rejects.toThrow('mkdir /l: file exists');
  const made = await unpack([nothing, { entry: entry('dir', 'nothing') }, file('l/f')]);
  expect(made).toContain('t/nothing/f file 644 1:2 @100');
});

test('a hard link shares what a later member changes; one to nothing or a directory is an error', async () => {
  const hard = (name: string, linkname: string, mode = 0o600): ArchiveMember => ({
    entry: entry('hardlink', name, { linkname, mode }),
  });
  expect(await unpack([file('z'), hard('a', 'z'), link('l', 'z'), hard('m', 'l')])).toEqual([
    't dir 755 0:0 @9000',
    't/a file 600 1:2 @100',
    't/l symlink 777 1:2 @100 > z',
    't/m hardlink 777 1:2 @100 > t/l',
    't/z hardlink 600 1:2 @100 > t/a',
  ]);
  await expect(unpack([hard('a', 'z'), file('z')])).rejects.toThrow('link /z /a: no such file or directory');
  await expect(unpack([{ entry: entry('dir', 'z') }, hard('a', 'z')])).rejects.toThrow('operation not permitted');
});

test('directories are merged, everything else is replaced, times of directories come last', async () => {
  const base = sampleTree({
    't/': {},
    't/d/': { mode: 0o700 },
    't/d/old': 'x',
    't/f/': {},
    't/f/gone': 'x',
    't/l': { to: 'd' },
  });
  const members = [
    { entry: entry('dir', 'd', { mode: 0o711, mtime: -5 }) },
    file('d/new'),
    file('f'),
    { entry: entry('dir', 'l') },
  ];
  expect(await unpack(members, base)).toEqual([
    't dir 755 0:0 @9000',
    't/d dir 711 1:2 @0',
    't/d/new file 644 1:2 @100',
    't/f file 644 1:2 @100',
    't/l dir 644 1:2 @100',
  ]);
});

async function* chunks(...parts: readonly Buffer[]): AsyncIterable<Buffer> {
  yield* parts;
}

const content = Buffer.alloc(600, 'c');
const tar = Buffer.concat([
  encodeHeader({ path: 'f', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 600, mtime: 1 }),
  content,
  Buffer.alloc(512 + 512 - 600),
  TAR_END,
]);

test('members refer to the content that is laid down', async () => {
  const spool = path.join(dir, 'one');
  const members = await readArchive(chunks(tar.subarray(0, 700), tar.subarray(700)), spool, signal);
  expect(members).toHaveLength(1);
  expect(members![0]!.content).toEqual({ kind: 'archive', file: spool, offset: 0, size: 600 });
  expect(readFileSync(spool)).toEqual(content);
});

test('what does not begin as an archive is none, what is cut is an error', async () => {
  const spool = path.join(dir, 'two');
  for (const bytes of [Buffer.from('text'), Buffer.alloc(2000, 'x'), Buffer.alloc(0), TAR_END]) {
    expect(await readArchive(chunks(bytes), spool, signal)).toBeUndefined();
  }
  expect(existsSync(spool)).toBe(false);
  await expect(readArchive(chunks(tar.subarray(0, 900)), spool, signal)).rejects.toThrow('unexpected EOF');
});

test('a sparse member that ends in a hole is laid down whole', async () => {
  const header = encodeHeader({ path: 's', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 1 });
  const records = (text: string): Buffer => {
    const bytes = Buffer.alloc(512);
    bytes.write(text);
    return bytes;
  };
  const lines = [
    'GNU.sparse.major=0',
    'GNU.sparse.minor=1',
    'GNU.sparse.numblocks=1',
    'GNU.sparse.map=0,0',
    'GNU.sparse.size=3000',
  ];
  const pax = lines.map((line) => `${line.length + 4} ${line}\n`).join('');
  const paxHeader = encodeHeader({ path: 'p', type: 'file', mode: 0, uid: 0, gid: 0, size: pax.length, mtime: 0 });
  const tagged = Buffer.from(paxHeader);
  tagged[156] = 'x'.charCodeAt(0);
  tagged.fill(' ', 148, 156);
  const sum = tagged.reduce((total, byte) => total + byte, 0);
  tagged.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const spool = path.join(dir, 'sparse');
  const members = await readArchive(chunks(tagged, records(pax), header, TAR_END), spool, signal);
  expect(members![0]!.entry.size).toBe(3000);
  expect(readFileSync(spool)).toEqual(Buffer.alloc(3000));
});
