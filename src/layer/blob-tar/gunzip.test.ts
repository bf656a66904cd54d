import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import { expect, test } from 'vitest';
import { Gunzip } from './gunzip.js';

/** Gives the input in pieces of `step` bytes, and takes the output from buffers of `room`. */
function gunzip(input: Buffer, step: number, room: number): Buffer {
  const gunzip = Gunzip.open()!;
  const output = Buffer.alloc(room);
  const parts: Buffer[] = [];
  let at = 0;
  const made = (count: number): void => {
    at += count;
    if (at < room) return;
    parts.push(Buffer.from(output));
    at = 0;
  };
  try {
    for (let from = 0; from < input.length;) {
      const { taken, made: count } = gunzip.write(input.subarray(from, from + step), output, at);
      from += taken;
      made(count);
    }
    for (let more = true; more;) {
      const left = room - at;
      const count = gunzip.end(output, at);
      more = count === left;
      made(count);
    }
    return Buffer.concat([...parts, output.subarray(0, at)]);
  } finally {
    gunzip.close();
  }
}

const TEXT = Buffer.from('some text, again and again. '.repeat(5000));
const CONTENT = Buffer.concat([TEXT, randomBytes(50_000), Buffer.alloc(300_000), TEXT]);
const SIZES = [
  [1, 7],
  [1000, 1],
  [4096, 4096],
  [1 << 20, 100],
  [1 << 20, 1 << 20],
] as const;

test.each(SIZES)('pieces of %i bytes, buffers of %i', (step, room) => {
  for (const content of room === 1 || step === 1 ? [TEXT.subarray(0, 3000)] : [CONTENT, Buffer.of()]) {
    expect(gunzip(zlib.gzipSync(content), step, room).equals(content)).toBe(true);
  }
});

test.each(SIZES)('further members follow on, zeros do not matter, in pieces of %i and %i', (step, room) => {
  const [one, two] = [TEXT.subarray(0, 500), TEXT.subarray(3, 600)];
  const members = [zlib.gzipSync(one), zlib.gzipSync(two), Buffer.alloc(9)];
  const found = gunzip(Buffer.concat(members), step, room);
  expect(found.equals(Buffer.concat([one, two]))).toBe(true);
});

test.each(SIZES)('damage and a cut are errors, in pieces of %i and %i', (step, room) => {
  const packed = zlib.gzipSync(TEXT.subarray(0, 3000));
  const changed = Buffer.from(packed);
  changed[changed.length - 6]! ^= 1; // of the sum
  const wrong = [changed, packed.subarray(0, -1), packed.subarray(0, 20), Buffer.concat([packed, Buffer.from('more')])];
  for (const bytes of wrong) {
    expect(() => gunzip(bytes, step, room)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^Z_/) }));
  }
});
