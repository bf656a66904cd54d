import { expect, test } from 'vitest';
import { Seeded } from '../support/seeded.js';
import { BuildError } from '../../src/base/errors.js';
import type { DiffId } from '../../src/oci/digest.js';
import type { Entry } from '../../src/layer/entry.js';
import { PartView, ShapeFinder } from '../../src/layer/part-view.js';
import type { ViewEntry } from '../../src/layer/ref-view.js';
import { parseToc, serializeToc } from '../../src/layer/saved-toc.js';
import type { Toc, TocEntry } from '../../src/layer/toc.js';
import { TocRows } from '../../src/layer/toc-rows.js';
import { TocView } from '../../src/layer/toc-view.js';

const SEED = Number(process.env['SLIPWAY_TEST_SEED'] ?? 1);
const plain: Entry = { path: '', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 7 };

function refuse(): never {
  throw new Error('contents are not asked for');
}

/** The whole view of layers, and one that takes them from their saved tables part by part; undefined when they do not fit together. */
function bothOf(
  layers: readonly (readonly TocEntry[])[],
): { whole: TocView; part: PartView; asked: () => number } | undefined {
  const tables = layers.map((entries) => serializeToc({ diffId: 'sha256:0' as DiffId, size: 1, entries }));
  const found = new ShapeFinder();
  const make = (note?: ShapeFinder): TocView =>
    new TocView(tables.map(parseToc), refuse, 5, note && ((...one) => note.note(...one)));
  let whole: TocView;
  try {
    whole = make(found);
  } catch (error) {
    if (error instanceof BuildError) return undefined;
    throw error;
  }
  const shape = found.shape(layers.length);
  if (!shape) return undefined;
  let asked = 0;
  const again = (): TocView => (asked++, make());
  const part = new PartView(
    tables.map((table) => TocRows.in(table)!),
    shape,
    again,
    refuse,
    5,
  );
  return { whole, part, asked: () => asked };
}

/** What a view says of all paths of names up to a depth, with the names that are one file as the first of them. */
function told(view: TocView | PartView, paths: readonly string[]): unknown {
  const firsts = new Map<unknown, string>();
  return paths.map((at) => {
    const { inode, ...entry } = view.lstat(at) ?? {};
    if (inode !== undefined && !firsts.has(inode)) firsts.set(inode, at);
    return { at, entry, file: inode !== undefined && firsts.get(inode), list: view.list(at), source: view.locate(at) };
  });
}

test('what is below a name is the same whether all of a stack is looked at or only that', () => {
  const random = new Seeded(SEED);
  const names = ['a', 'b', 'ü"', 'ab'];
  const paths = names.flatMap((a) => [
    a,
    ...names.flatMap((b) => [`${a}/${b}`, ...names.map((c) => `${a}/${b}/${c}`)]),
  ]);
  const targets = ['a', '/b', '../a', 'b/../a', '../b/..', '.', '/', 'ab/a', '/a/b'];
  const entryOf = (): TocEntry => {
    const path = random.of(paths);
    const dir = path.slice(0, path.lastIndexOf('/') + 1);
    const mode = random.below(0o777);
    switch (random.below(9)) {
      case 0:
        return { ...plain, path: `${dir}.wh.${random.of(names)}`, mode };
      case 1:
        return { ...plain, path: random.chance(0.3) ? '.wh..wh..opq' : `${dir}.wh..wh..opq` };
      case 2:
        return { ...plain, path, type: 'symlink', linkname: random.of(targets) };
      case 3:
        return { ...plain, path, type: 'hardlink', linkname: random.of(paths), mode };
      case 4:
        return { ...plain, path, type: 'char', devMajor: 0, devMinor: 0 };
      case 5:
      case 6:
        return { ...plain, path, type: 'dir', mode };
      default:
        return { ...plain, path, mode, size: random.below(9) };
    }
  };
  let [compared, inParts] = [0, 0];
  for (let i = 0; i < 4000; i++) {
    const layers = Array.from({ length: 1 + random.below(3) }, () =>
      Array.from({ length: 1 + random.below(6) }, entryOf),
    );
    const both = bothOf(layers);
    if (!both) continue;
    compared++;
    const shown = JSON.stringify(layers, undefined, 1);
    const entries = paths.map((at) => both.part.lstat(at));
    const withoutFile = (entry: ViewEntry | undefined): unknown =>
      entry && { ...entry, inode: entry.inode !== undefined };
    expect(entries.map(withoutFile), shown).toEqual(paths.map((at) => withoutFile(both.whole.lstat(at))));
    for (const top of names) {
      const below = paths.filter((at) => at === top || at.startsWith(`${top}/`));
      expect(told(both.part, below), shown).toEqual(told(both.whole, below));
    }
    if (both.asked() === 0) inParts++;
    expect(both.part.list('')).toEqual(both.whole.list(''));
    expect(both.part.lstat('')).toEqual(both.whole.lstat(''));
  }
  expect(compared).toBeGreaterThan(1000);
  expect(inParts).toBeGreaterThan(500);
});

test('a table that was cut short is not taken', () => {
  const toc: Toc = {
    diffId: 'sha256:0' as DiffId,
    size: 1,
    entries: [
      { ...plain, path: 'a' },
      { ...plain, path: 'b' },
    ],
  };
  const table = serializeToc(toc);
  expect(TocRows.in(table)?.below('b')).toEqual([toc.entries[1]]);
  expect(TocRows.in(table.subarray(0, -3))).toBeUndefined();
  expect(TocRows.in(Buffer.concat([Buffer.from('x'), table]))).toBeUndefined();
});
