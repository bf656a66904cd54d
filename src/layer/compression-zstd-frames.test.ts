import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { wholeFrames } from './compression-zstd-frames.js';

const hasZstd = spawnSync('zstd', ['--version'], { stdio: 'ignore' }).error === undefined;
const contents = [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(1_000_000, 'a'), randomBytes(300_000)];

async function isWhole(bytes: Buffer, step = 1000): Promise<boolean> {
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  }
  let size = 0;
  try {
    for await (const piece of wholeFrames(pieces())) size += piece.length;
    return size === bytes.length;
  } catch (error) {
    expect(error).toMatchObject({ code: 'ARCHIVE_INVALID', message: 'a damaged zstd stream' });
    return false;
  }
}

function zstd(input: Buffer, ...args: readonly string[]): Buffer {
  return spawnSync('zstd', ['-c', '-q', ...args], { input, maxBuffer: 1 << 30 }).stdout;
}

test.skipIf(!hasZstd)(
  'what zstd writes is whole, several frames too, and cut anywhere it is not (needs zstd)',
  async () => {
    const skippable = Buffer.from('5e2a4d18030000006d6f72', 'hex');
    for (const content of contents) {
      for (const args of [[], ['--no-check'], ['-T2', '-1'], ['--single-thread', `--stream-size=${content.length}`]]) {
        const packed = zstd(content, ...args);
        expect(await isWhole(packed)).toBe(true);
        const several = Buffer.concat([packed, skippable, packed]);
        expect(await isWhole(several, 3)).toBe(true);
        for (const cut of [1, 2, 3, 4, 5, 8, packed.length >> 1, packed.length - 1]) {
          expect(await isWhole(packed.subarray(0, packed.length - cut))).toBe(cut === packed.length);
        }
      }
    }
  },
);

test.skipIf(!hasZstd)('what follows and is no zstd is damage (needs zstd)', async () => {
  expect(await isWhole(Buffer.concat([zstd(Buffer.from('x')), Buffer.from('more')]))).toBe(false);
});
