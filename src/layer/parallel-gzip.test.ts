import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockCutter, contentOf, MOST } from './gzip-blocks.js';
import { parallelGzip, type KnownPieces } from './parallel-gzip.js';

/** As large as a block can be. */
const BLOCK = MOST;

/** Text that does not repeat itself soon, as files of programs are. */
function prose(size: number): Buffer {
  const parts: string[] = [];
  for (let length = 0, i = 0; length < size; i++) {
    const part = `${(i * 7919) % 10007} of ${(i * i) % 65537} files\n`;
    parts.push(part);
    length += part.length;
  }
  return Buffer.from(parts.join('').slice(0, size));
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const sizes = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 4711];

test.each(sizes)('%d bytes come back, by zlib and by the program gzip', async (size) => {
  const content = prose(size);
  for (const level of [0, 1, 6, 9]) {
    const packed = await collect(parallelGzip([content], { level }));
    expect(gunzipSync(packed).equals(content)).toBe(true);
    const program = spawnSync('gzip', ['-d', '-c'], { input: packed, maxBuffer: 1 << 30 });
    expect([program.status, program.stdout.equals(content), program.stderr.toString()]).toEqual([0, true, '']);
  }
});

test('the result depends neither on the number of threads nor on how the content is cut', async () => {
  const content = Buffer.concat([prose(3 * BLOCK + 100), randomBytes(BLOCK), prose(2 * BLOCK)]);
  const expected = await collect(parallelGzip([content], { level: 6, underWay: () => 1 }));
  const cut = fc.array(fc.integer({ min: 0, max: content.length }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(1, 2, 7), cut, async (underWay, places) => {
      const ends = [...places.sort((a, b) => a - b), content.length];
      const pieces = ends.map((end, i) => content.subarray(ends[i - 1] ?? 0, end));
      expect((await collect(parallelGzip(pieces, { level: 6, underWay: () => underWay }))).equals(expected)).toBe(true);
    }),
    { numRuns: 25 },
  );
});

test('blocks know what came before them: the result is as small as that of one thread', async () => {
  const content = prose(8 * BLOCK);
  const packed = await collect(parallelGzip([content], { level: 6 }));
  expect(packed.length).toBeLessThan(gzipSync(content, { level: 6 }).length * 1.01);
});

test('what does not get smaller is stored, and what follows on it looks back into it', async () => {
  const bytes = randomBytes(4 * BLOCK);
  let end = 0;
  let last = 0;
  for await (const block of new BlockCutter().cut([bytes])) end += last = contentOf(block).length;
  const noise = bytes.subarray(0, end - last); // a block begins behind it, whatever follows
  const again = noise.subarray(-5000); // too little to be judged
  const packed = await collect(parallelGzip([noise, again], { level: 6 }));
  expect(packed.length).toBeLessThan(noise.length + 2000);
  expect(gunzipSync(packed).equals(Buffer.concat([noise, again]))).toBe(true);
});

test('the header names no file, no time and no system', async () => {
  const packed = await collect(parallelGzip([prose(100)], { level: 9 }));
  expect([...packed.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
});

test('content that fails ends with its error, an early stop closes the content', async () => {
  const failure = new Error('cannot be read');
  let isClosed = false;
  async function* content(fail: boolean): AsyncGenerator<Buffer> {
    try {
      for (let i = 0; i < 6; i++) yield prose(BLOCK);
      if (fail) throw failure;
      yield prose(BLOCK);
    } finally {
      isClosed = true;
    }
  }
  await expect(collect(parallelGzip(content(true), { level: 9, underWay: () => 4 }))).rejects.toBe(failure);
  expect(isClosed).toBe(true);
  isClosed = false;
  for await (const piece of parallelGzip(content(false), { level: 0, underWay: () => 4 })) if (piece.length > 0) break;
  expect(isClosed).toBe(true);
});

test('no more is read than is under way', async () => {
  let read = 0;
  function* content(): Generator<Buffer> {
    for (; read < 100; read++) yield prose(BLOCK);
  }
  const stream = parallelGzip(content(), { level: 0, underWay: () => 3 }); // level 0, so that what is given out is as long as what is read
  const first = await stream.next();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(read).toBeGreaterThan(0);
  expect(read * BLOCK).toBeLessThanOrEqual(first.value!.length + 4 * BLOCK);
  await stream.return();
});

/** Pieces by key, as they were told. */
class Remembered implements KnownPieces {
  readonly pieces = new Map<string, Buffer>();
  readonly starts: number[] = [];
  asked = 0;
  found = 0;

  async find(key: string): Promise<Buffer | undefined> {
    this.asked++;
    const piece = this.pieces.get(key);
    if (piece) this.found++;
    return piece;
  }

  keep(key: string, piece: Buffer, start: number): void {
    this.pieces.set(key, piece);
    this.starts.push(start);
  }
}

test('where most is known, the rest alone is deflated, and the result is the same', async () => {
  const records = prose(20 * BLOCK);
  const known = new Remembered();
  const first = await collect(parallelGzip([records], { level: 6, known }));
  const starts = [...known.pieces.values()].map((piece, i) =>
    first.subarray(known.starts[i], known.starts[i]! + piece.length).equals(piece),
  );
  expect(starts).toEqual(known.starts.map(() => true));
  expect(known.found).toBe(0);
  const asked = known.asked;
  // A record more near the beginning, and another one in the middle.
  const middle = 512 * Math.floor(records.length / 1024);
  const parts = [
    records.subarray(0, 512),
    randomBytes(512),
    records.subarray(512, middle),
    randomBytes(512),
    records.subarray(middle + 512),
  ];
  const changed = Buffer.concat(parts);
  const again = await collect(parallelGzip([changed], { level: 6, known }));
  expect(again.equals(await collect(parallelGzip([changed], { level: 6 })))).toBe(true);
  expect(gunzipSync(again).equals(changed)).toBe(true);
  expect(known.found).toBeGreaterThan(asked * 0.8);
});

test('zeros are cut into the largest blocks', async () => {
  const known = new Remembered();
  const packed = await collect(parallelGzip([Buffer.alloc(8 * BLOCK)], { level: 6, known }));
  expect(gunzipSync(packed).equals(Buffer.alloc(8 * BLOCK))).toBe(true);
  expect(known.asked).toBe(8);
});
