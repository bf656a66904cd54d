import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BuildError } from '../base/errors.js';
import type { Entry } from './entry.js';
import { anyEntry } from './testdata/entries.js';
import { askGo, type GoAnswer, goRoot } from './testdata/gotar.js';
import type { TarEntry } from './tar-entry.js';
import { flagOf, paddingOf } from './tar-format.js';
import { TarParser } from './tar-reader.js';
import { readTar } from './tar-stream.js';
import { encodeHeader, TAR_END, tarName } from './tar-writer.js';

interface Read {
  readonly entries: { readonly entry: TarEntry; readonly sha256: string }[];
  error?: string;
}

/** Reads `archive` in chunks of `step` bytes; a damaged one gives what came before the damage. */
function read(archive: Buffer, step = archive.length): Read {
  const result: Read = { entries: [] };
  let entry: TarEntry | undefined;
  let hash = createHash('sha256');
  let at = 0;
  const parser = new TarParser({
    entry: (one) => {
      entry = one;
      hash = createHash('sha256');
      at = 0;
    },
    data: (bytes, position) => {
      hash.update(Buffer.alloc(position - at)).update(bytes);
      at = position + bytes.length;
    },
    end: () => {
      if (entry!.size < 2 ** 28) hash.update(Buffer.alloc(entry!.size - at));
      result.entries.push({ entry: entry!, sha256: hash.digest('hex') });
    },
  });
  try {
    for (let i = 0; i < archive.length; i += step) parser.write(archive.subarray(i, i + step));
    parser.finish();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    result.error = error.message;
  }
  return result;
}

function tarOf(entries: readonly { readonly entry: Entry; readonly content?: Buffer }[], end = TAR_END): Buffer {
  const parts = entries.flatMap(({ entry, content = Buffer.alloc(0) }) => [
    encodeHeader(entry),
    content,
    Buffer.alloc(paddingOf(content.length)),
  ]);
  return Buffer.concat([...parts, end]);
}

/** Our result in the form of Go's. */
function asGo({ entries }: Read): NonNullable<GoAnswer['Entries']> {
  const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
  return entries.map(({ entry, sha256 }) => ({
    Name: base64(entry.rawName),
    Linkname: base64(entry.rawLinkname),
    Type: flagOf[entry.type],
    Mode: entry.mode,
    Size: entry.size,
    Uid: entry.uid,
    Gid: entry.gid,
    Mtime: entry.mtime,
    Devmajor: entry.devMajor ?? 0,
    Devminor: entry.devMinor ?? 0,
    Xattrs: entry.xattrs
      ? Object.fromEntries([...entry.xattrs].map(([key, value]) => [base64(key), value.toString('base64')]))
      : null,
    Sha256: sha256,
  }));
}

/** What Slipway's entries do not have, or have in one form where Go has two. */
function comparable(entries: GoAnswer['Entries']): NonNullable<GoAnswer['Entries']> {
  return (entries ?? []).map((entry) => {
    const isFile = [0, 0x30, 0x37, 0x53].includes(entry.Type);
    const isDevice = entry.Type === flagOf.char || entry.Type === flagOf.block;
    return {
      ...entry,
      Type: isFile ? flagOf.file : entry.Type,
      Size: isFile ? entry.Size : 0,
      Uid: entry.Uid >>> 0,
      Gid: entry.Gid >>> 0,
      Devmajor: isDevice ? entry.Devmajor : 0,
      Devminor: isDevice ? entry.Devminor : 0,
    };
  });
}

const files = fc
  .array(fc.record({ entry: anyEntry, content: fc.uint8Array({ maxLength: 1500 }) }), { maxLength: 6 })
  .map((list) =>
    list.map(({ entry, content }) =>
      entry.type === 'file' ? { entry: { ...entry, size: content.length }, content: Buffer.from(content) } : { entry },
    ),
  );

test('what the writer writes comes back, in chunks of any size', () => {
  fc.assert(
    fc.property(files, fc.integer({ min: 1, max: 1100 }), (list, step) => {
      const { entries, error } = read(tarOf(list), step);
      expect(error).toBeUndefined();
      expect(entries).toHaveLength(list.length);
      for (const [i, { entry, content = Buffer.alloc(0) }] of list.entries()) {
        expect(entries[i]!.entry).toMatchObject({ ...entry, rawName: tarName(entry) });
        expect(entries[i]!.sha256).toBe(createHash('sha256').update(content).digest('hex'));
      }
    }),
    { numRuns: 150 },
  );
});

test('dataOffset is where the content lies', () => {
  const content = Buffer.from('the content');
  const entry: Entry = {
    path: `\xe9${'x'.repeat(300)}`,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: content.length,
    mtime: 1,
  };
  const archive = tarOf([{ entry, content }]);
  for (const step of [1, 511, 512, 513, archive.length]) {
    const offset = read(archive, step).entries[0]!.entry.dataOffset;
    expect(archive.subarray(offset, offset + content.length)).toEqual(content);
  }
});

test('missing end blocks are fine where Go takes them, a cut header or content is not', () => {
  const entry: Entry = { path: 'f', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 3, mtime: 1 };
  const whole = tarOf([{ entry, content: Buffer.from('abc') }]);
  for (const length of [2048, 1536, 1024, 600, 515]) expect(read(whole.subarray(0, length)).error).toBeUndefined();
  for (const length of [514, 511, 1025, 1537]) expect(read(whole.subarray(0, length)).error).toMatch(/ends too early/);
  expect(read(Buffer.concat([whole, Buffer.from('rubbish')])).error).toBeUndefined();
  const { error } = read(Buffer.concat([whole.subarray(0, 1024), Buffer.alloc(512, 1)]));
  expect(error).toBe('invalid tar archive at byte 1024, entry `f`: not a tar header');
});

test('a name cannot lead out of the root', () => {
  const names = ['/etc/passwd', '../../x', 'a/../../x', './a//b/.', '..', '/', 'a/b/../../../../c'];
  const paths = ['etc/passwd', 'x', 'x', 'a/b', '', '', 'c'];
  const entries = names.map((name): Entry => ({
    path: name,
    type: 'file',
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
  }));
  expect(read(tarOf(entries.map((entry) => ({ entry })))).entries.map(({ entry }) => entry.path)).toEqual(paths);
});

test('an extended header over the limit is refused before it is kept', () => {
  const header = encodeHeader({ path: 'x', type: 'file', mode: 0, uid: 0, gid: 0, size: 2 ** 21, mtime: 0 });
  header[156] = 0x78;
  sealIfHeader(header);
  expect(read(header).error).toMatch(/extended header is too long/);
});

test('the iterator gives entries with contents, and skips what nobody reads', async () => {
  const file = (name: string, content: string) => ({
    entry: { path: name, type: 'file', mode: 0, uid: 0, gid: 0, size: content.length, mtime: 0 } satisfies Entry,
    content: Buffer.from(content),
  });
  const archive = tarOf([file('a', 'first'), file('b', 'x'.repeat(3000)), file('c', 'last')]);
  const chunks = Array.from({ length: Math.ceil(archive.length / 700) }, (_, i) =>
    archive.subarray(i * 700, i * 700 + 700),
  );
  const seen: string[] = [];
  for await (const { entry, content } of readTar(chunks)) {
    let text = '';
    if (entry.path !== 'b') for await (const bytes of content()) text += bytes.toString();
    seen.push(`${entry.path}=${text}`);
  }
  expect(seen).toEqual(['a=first', 'b=', 'c=last']);
});

const go = goRoot();

test.skipIf(!go)(
  'archives of every dialect read as Go reads them',
  () => {
    const folder = path.join(go!, 'src/archive/tar/testdata');
    const names = readdirSync(folder).filter(
      (name) => name.endsWith('.tar') && statSync(path.join(folder, name)).size < 4 << 20,
    );
    const archives = names.map((name) => readFileSync(path.join(folder, name)));
    const answers = askGo(archives.map((archive) => ({ Read: archive.toString('base64') })));
    expect(names.length).toBeGreaterThan(20);
    for (const [i, name] of names.entries()) compareWithGo(name, archives[i]!, answers[i]!);
  },
  120_000,
);

test.skipIf(!go)(
  'damaged archives are refused, or read, as by Go (needs go)',
  () => {
    const damage = fc.array(fc.record({ at: fc.nat(1_000_000), byte: fc.nat(255) }), { minLength: 1, maxLength: 3 });
    const archives = fc.sample(
      fc.record({ files, damage, cut: fc.option(fc.nat(1_000_000), { freq: 3 }), reseal: fc.boolean() }),
      {
        numRuns: 1500,
        seed: 11,
      },
    );
    const bytes = archives.map(({ files: list, damage: hits, cut, reseal }) => {
      const archive = tarOf(list);
      for (const { at, byte } of hits) archive[at % archive.length] = byte;
      if (reseal) for (let at = 0; at < archive.length; at += 512) sealIfHeader(archive.subarray(at, at + 512));
      return cut === null ? archive : archive.subarray(0, cut % archive.length);
    });
    const answers = askGo(bytes.map((archive) => ({ Read: archive.toString('base64') })));
    for (const [i, archive] of bytes.entries()) compareWithGo(`#${i}`, archive, answers[i]!);
  },
  120_000,
);

/** Makes damage reach the code behind the checksum. */
function sealIfHeader(block: Buffer): void {
  if (block.toString('latin1', 257, 262) !== 'ustar') return;
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

/** Slipway refuses some of what Go takes (unknown types, numbers out of range), never the reverse. */
function compareWithGo(name: string, archive: Buffer, theirs: GoAnswer): void {
  const ours = read(archive);
  if (ours.error !== undefined && theirs.Error === undefined) {
    expect(`${name}: ${ours.error}`).toMatch(
      /unknown type of entry|out of range|is no number|is no time|too long|NUL|sparse|not a tar header|too large/,
    );
  }
  if (ours.error === undefined) expect({ name, error: theirs.Error }).toEqual({ name, error: undefined });
  const mine = asGo(ours);
  expect({ name, entries: mine }).toEqual({ name, entries: comparable(theirs.Entries).slice(0, mine.length) });
  if (ours.error === undefined) expect(mine).toHaveLength(theirs.Entries?.length ?? 0);
}
