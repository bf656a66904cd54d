import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyEntry, edgeEntries } from './testdata/entries.js';
import { askGo, goRoot, writeRequest } from './testdata/gotar.js';
import { encodeHeader } from './tar-writer.js';

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
