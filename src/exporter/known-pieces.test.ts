import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { compress } from '../layer/compression.js';
import { MOST } from '../layer/gzip-blocks.js';
import type { Digest } from '../oci/digest.js';
import { Store } from '../store/store.js';
import { KeptPieces } from './kept-pieces.js';
import { placedPieces, savePieces } from './known-pieces.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-known-pieces-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const { signal } = new AbortController();
const LEVEL = 6;

let store: Store;
let stores = 0;
beforeEach(async () => {
  const opened = await Store.open(path.join(dir, `store-${stores++}`), { signal });
  store = opened.store;
  return () => opened.lease.release();
});

/** How many blocks were asked for, and how many were known. */
class Counted {
  asked = 0;
  found = 0;
  readonly #pieces: KeptPieces;

  constructor(pieces: KeptPieces) {
    this.#pieces = pieces;
  }

  async find(key: string): Promise<Buffer | undefined> {
    const piece = await this.#pieces.find(key);
    this.asked++;
    if (piece) this.found++;
    return piece;
  }

  keep(key: string, piece: Buffer, start: number): void {
    this.#pieces.keep(key, piece, start);
  }
}

async function compressed(content: Buffer): Promise<{ blob: Digest; counted: Counted }> {
  await using pieces = new KeptPieces(await placedPieces(store, LEVEL));
  const counted = new Counted(pieces);
  const bytes = compress([content], { compression: 'gzip', level: LEVEL, known: counted });
  const { digest, commit } = await store.blobs.write(bytes, { signal });
  await commit();
  await savePieces(store, LEVEL, digest, pieces.rows);
  expect(gunzipSync(readFileSync(store.blobs.path(digest))).equals(content)).toBe(true);
  return { blob: digest, counted };
}

const text = (from: number, to: number): Buffer =>
  Buffer.from(Array.from({ length: to - from }, (_, i) => `${(from + i) * 7919} words\n`.padEnd(64)).join(''));
const before = text(0, 80_000);
const after = Buffer.concat([text(99_000, 99_008), before]);

test('what a layer has in common with the ones before is taken from them, and the blob is the same as without them', async () => {
  const first = await compressed(before);
  expect(first.counted.found).toBe(0);
  const second = await compressed(after);
  expect(second.counted.found).toBeGreaterThan(second.counted.asked - 3);
  rmSync(store.blobs.path(first.blob));
  const third = await compressed(before); // the last ones have it too
  expect(third.blob).toBe(first.blob);
  expect(third.counted.found).toBeGreaterThan(third.counted.asked - 3);
});

test('damage of a blob, of its table and another zlib only mean that nothing is known', async () => {
  const { blob, counted } = await compressed(before);
  expect(counted.asked).toBeGreaterThan((before.length / MOST) | 0);
  const bytes = readFileSync(store.blobs.path(blob));
  const middle = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  rmSync(store.blobs.path(blob));
  writeFileSync(store.blobs.path(blob), bytes);
  const damaged = await compressed(before);
  expect(damaged.blob).toBe(blob);
  expect(damaged.counted.found).toBe(damaged.counted.asked - 1);

  const table = path.join(store.paths.facts, `pieces-${LEVEL}-${blob.slice(7)}`);
  const fact = JSON.parse(readFileSync(table, 'utf8')) as { rows: unknown[] };
  const others: unknown[] = [
    { ...fact, madeBy: 'another' },
    { rows: 7 },
    null,
    {
      ...fact,
      rows: [
        [1, 2, 3, 4],
        ['a', -1, 1e20, 'b'],
      ],
    },
  ];
  for (const other of others) {
    writeFileSync(table, JSON.stringify(other));
    const { counted: none } = await compressed(before);
    expect(none.found).toBe(0);
  }
});

test('the last layers are known, and the tables of those before them are gone', async () => {
  const blobs: Digest[] = [];
  for (let i = 0; i < 10; i++) blobs.push((await compressed(text(i * 1000, i * 1000 + 10))).blob);
  const isThere = await Promise.all(
    blobs.map(async (blob) => (await store.records.fact(`pieces-${LEVEL}-${blob.slice(7)}`)) !== undefined),
  );
  expect(isThere).toEqual([false, false, ...Array.from({ length: 8 }, () => true)]);
});
