import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { looksCompressed } from './compression-probe.js';

const BLOCK = 256 * 1024;
const program = readFileSync(process.execPath);

test('archives and noise look compressed, programs, text and zeros do not', () => {
  expect(looksCompressed(randomBytes(BLOCK))).toBe(true);
  expect(looksCompressed(deflateRawSync(program.subarray(0, 8 * BLOCK)).subarray(0, BLOCK))).toBe(true);
  for (const start of [0, 3, 17]) {
    expect(looksCompressed(program.subarray(start * BLOCK, (start + 1) * BLOCK))).toBe(false);
  }
  expect(looksCompressed(Buffer.alloc(BLOCK))).toBe(false);
});

test('a high entropy alone does not: bytes may be evenly spread and repeat themselves', () => {
  const even = Buffer.alloc(BLOCK, randomBytes(512));
  expect(looksCompressed(even)).toBe(false);
  expect(looksCompressed(Buffer.from(even.map((_, i) => i % 256)))).toBe(false);
});

test('what is too short to be judged does not', () => {
  expect(looksCompressed(randomBytes(1000))).toBe(false);
  expect(looksCompressed(Buffer.alloc(0))).toBe(false);
});
