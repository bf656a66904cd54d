import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyEntry, edgeEntries } from './testdata/entries.js';
import { askGo, goRoot, writeRequest } from './testdata/gotar.js';
import { encodeHeader, encodePlainHeader } from './tar-writer.js';

/** Recorded from Go's archive/tar by the differential test below. */
const golden = JSON.parse(
  readFileSync(new URL('testdata/tar-writer.golden.json', import.meta.url), 'utf8'),
) as readonly string[];
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('headers at the limits are those of Go', () => {
  expect(golden).toHaveLength(edgeEntries.length);
  for (const [i, entry] of edgeEntries.entries()) expect([i, sha256(encodeHeader(entry))]).toEqual([i, golden[i]]);
});

test.skipIf(!goRoot())(
  'any header is what the installed Go writes (needs go)',
  () => {
    const random = fc.sample(anyEntry, { numRuns: 1500, seed: 7 });
    const answers = askGo([...edgeEntries, ...random].map(writeRequest));
    const edges = answers.slice(0, edgeEntries.length).map((answer) => sha256(Buffer.from(answer.Header!, 'base64')));
    expect(edges).toEqual(golden);
    for (const [i, entry] of random.entries()) {
      const theirs = Buffer.from(answers[edgeEntries.length + i]!.Header!, 'base64');
      if (!theirs.equals(encodeHeader(entry))) {
        expect({ entry, header: encodeHeader(entry).toString('latin1') }).toEqual({
          entry,
          header: theirs.toString('latin1'),
        });
      }
    }
  },
  120_000,
);

test('a device number that no header can hold is refused', () => {
  expect(() => encodeHeader({ ...edgeEntries[0]!, type: 'char', devMajor: 1, devMinor: 8 ** 7 })).toThrow(
    /device number/,
  );
});

test('the short way to a usual header gives the same block', () => {
  const isUsual = (entry: (typeof edgeEntries)[number]): boolean => {
    const block = Buffer.alloc(2048, 0xff);
    if (!encodePlainHeader(entry, block, 700)) return false;
    expect({ entry, block: block.subarray(700, 1212) }).toEqual({ entry, block: encodeHeader(entry) });
    expect([block.subarray(0, 700), block.subarray(1212)].every((rest) => rest.every((byte) => byte === 0xff))).toBe(
      true,
    );
    return true;
  };
  for (const entry of edgeEntries) isUsual(entry);
  const usual = fc.sample(anyEntry, { numRuns: 1500, seed: 7 }).filter(isUsual);
  expect(usual.length).toBeGreaterThan(10);
  const file = {
    path: 'a'.repeat(99),
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 1000,
    size: 8 ** 10,
    mtime: 2 ** 33 - 1,
  } as const;
  const files = [
    file,
    { ...file, path: `${file.path}a` },
    { ...file, mtime: 2 ** 33 },
    { ...file, uid: 8 ** 7 },
    { ...file, mtime: -1 },
  ];
  expect(files.map(isUsual)).toEqual([true, false, false, false, false]);
});
