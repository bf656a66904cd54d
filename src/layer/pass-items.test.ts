import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fromText } from '../base/bytes.js';
import { digestOf } from '../oci/digest.js';
import type { Entry } from './entry.js';
import { packLayer, type PackItem } from './pack.js';
import { passItems } from './pass-items.js';
import { TarParser, type TarSink } from './tar-reader.js';
import { whiteoutEntry } from './whiteout.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-pass-items-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const CONTENT = randomBytes(2_500_000);
const FILE = fromText(path.join(dir, 'file'));
writeFileSync(path.join(dir, 'file'), CONTENT);

function entry(more: Partial<Entry> & Pick<Entry, 'path'>): Entry {
  return { type: 'file', mode: 0o644, uid: 1, gid: 2, size: 0, mtime: 1_700_000_000, ...more };
}

const xattrs = new Map([
  ['security.capability', Buffer.from('capable')],
  ['user.other', Buffer.from('left out')],
]);
const ITEMS: readonly PackItem[] = [
  { entry: entry({ path: 'd', type: 'dir', mode: 0o1755 }) },
  { entry: entry({ path: 'd/empty' }) },
  { entry: entry({ path: 'd/bytes', size: 5, xattrs }), content: { kind: 'bytes', bytes: Buffer.from('bytes') } },
  {
    entry: entry({ path: 'd/all', size: CONTENT.length }),
    content: { kind: 'file', file: FILE },
    digest: digestOf(CONTENT),
  },
  { entry: entry({ path: 'd/part', size: 2_000_000 }), content: { kind: 'range', file: FILE, offset: 1234 } },
  { entry: entry({ path: 'd/name', type: 'hardlink', linkname: 'd/all' }) },
  { entry: entry({ path: 'd/to', type: 'symlink', linkname: '../elsewhere' }) },
  { entry: entry({ path: 'd/null', type: 'char', devMajor: 1, devMinor: 3 }) },
  { entry: whiteoutEntry('d/gone') },
];

/** What a sink is told, contents joined; where they stand in the tar is not said. */
class Told implements TarSink {
  readonly all: { readonly entry: object; readonly content: Buffer[]; ended: boolean }[] = [];

  entry({ dataOffset: _offset, rawName: _name, ...rest }: Parameters<TarSink['entry']>[0]): void {
    this.all.push({ entry: rest, content: [], ended: false });
  }

  data(bytes: Buffer): void {
    this.all.at(-1)!.content.push(Buffer.from(bytes));
  }

  end(): void {
    this.all.at(-1)!.ended = true;
  }

  get joined(): readonly unknown[] {
    return this.all.map((one) => ({ ...one, content: digestOf(Buffer.concat(one.content)) }));
  }
}

test('a sink is told what it would be told of the layer', () => {
  const [passed, packed] = [new Told(), new Told()];
  passItems(ITEMS, passed);
  const parser = new TarParser(packed);
  packLayer(ITEMS, (bytes) => parser.write(bytes));
  parser.finish();
  expect(passed.joined).toEqual(packed.joined);
});

test.each<readonly [string, PackItem]>([
  ['has another size', { entry: entry({ path: 'f', size: 3 }), content: { kind: 'file', file: FILE } }],
  [
    'ends early',
    { entry: entry({ path: 'f', size: 9 }), content: { kind: 'range', file: FILE, offset: CONTENT.length - 8 } },
  ],
  [
    'has other bytes',
    { entry: entry({ path: 'f', size: CONTENT.length }), content: { kind: 'file', file: FILE }, digest: digestOf('') },
  ],
  ['is gone', { entry: entry({ path: 'f', size: 3 }), content: { kind: 'file', file: `${FILE}-gone` } }],
])('a file that %s is an error', (_, item) => {
  expect(() => passItems([item], new Told())).toThrow(expect.objectContaining({ code: 'CONTEXT_INVALID' }));
});
