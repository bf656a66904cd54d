import { spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf } from '../oci/digest.js';
import { isSound, mapFromContent } from './sparse.js';
import { readTar } from './tar-stream.js';
import { parseToc, serializeToc } from './saved-toc.js';
import { unpackLayer } from './unpack.js';

const hasTar = spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout?.includes('GNU tar') ?? false;
const isRoot = process.getuid?.() === 0;

let scratch = '';
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'slipway-sparse-'));
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** Many islands, so that the map of the old format needs extension blocks; it begins and ends with a hole. */
function makeSparse(islands: number): string {
  const file = path.join(scratch, 'sparse');
  const fd = openSync(file, 'w');
  for (let i = 1; i <= islands; i++) writeSync(fd, Buffer.alloc(4096, i % 250), 0, 4096, i * 64 * 1024);
  ftruncateSync(fd, (islands + 3) * 64 * 1024 + 17);
  closeSync(fd);
  return file;
}

const forms = [
  ['--format=gnu'],
  ['--format=pax', '--sparse-version=0.0'],
  ['--format=pax', '--sparse-version=0.1'],
  ['--format=pax', '--sparse-version=1.0'],
];

for (const islands of [0, 3, 60]) {
  test.skipIf(!hasTar || !isRoot).each(forms)(
    `${islands} islands as GNU tar writes them (needs GNU tar, uid 0): %s %s`,
    async (...form) => {
      const content = readFileSync(makeSparse(islands));
      const made = spawnSync('tar', ['-c', '--sparse', ...form.filter(Boolean), '-C', scratch, 'sparse'], {
        maxBuffer: 1 << 28,
      });
      expect(made.status).toBe(0);
      expect(made.stdout.length).toBeLessThan(content.length / 2);
      for await (const item of readTar([made.stdout.subarray(0, 700), made.stdout.subarray(700)])) {
        const parts: Buffer[] = [];
        for await (const part of item.content()) parts.push(Buffer.from(part));
        expect(item.entry.path).toBe('sparse');
        expect(Buffer.concat(parts).equals(content)).toBe(true);
      }
      const target = path.join(scratch, 'target');
      mkdirSync(target);
      const { toc } = await unpackLayer([made.stdout], target, { dialect: 'plain' });
      const unpacked = path.join(target, 'sparse');
      expect(readFileSync(unpacked).equals(content)).toBe(true);
      expect(statSync(unpacked).blocks * 512).toBeLessThan(content.length / 2);
      expect(toc.entries[0]).toMatchObject({ digest: digestOf(content), size: content.length });
      expect(parseToc(serializeToc(toc))).toEqual(toc);
      // the table tells where every part of the content lies in the tar
      let at = toc.entries[0]!.dataOffset!;
      for (const { offset, length } of toc.entries[0]!.fragments!) {
        expect(made.stdout.subarray(at, at + length).equals(content.subarray(offset, offset + length))).toBe(true);
        at += length;
      }
    },
  );
}

test('maps that lie are refused', () => {
  expect(
    isSound(
      [
        { offset: 0, length: 5 },
        { offset: 4, length: 1 },
      ],
      10,
      6,
    ),
  ).toBe(false); // overlap
  expect(isSound([{ offset: 8, length: 5 }], 10, 5)).toBe(false); // beyond the end
  expect(isSound([{ offset: 0, length: 5 }], 10, 6)).toBe(false); // more bytes than the map has
  expect(isSound([{ offset: 0, length: 5 }], 10, 5)).toBe(true);
  expect(mapFromContent('99999999999\n')).toBeUndefined();
  expect(mapFromContent('2\n0\n5\n')).toBe('more');
  expect(mapFromContent('-1\n')).toBeUndefined();
});
