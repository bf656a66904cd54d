import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { BuildError } from '../base/errors.js';
import { compress, decompress, detectCompression } from './compression.js';

const text = Buffer.concat([Buffer.alloc(3_000_000, 'slipway '), randomBytes(400_000)]);

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function inPieces(bytes: Buffer, step: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) => bytes.subarray(i * step, (i + 1) * step));
}

const programs = { gzip: 'gzip', zstd: 'zstd', bzip2: 'bzip2', xz: 'xz' } as const;

for (const [format, command] of Object.entries(programs)) {
  const isThere = spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;

  test.skipIf(!isThere)(
    `${format}: told by its bytes, read whole, several members too (needs ${command})`,
    async () => {
      const packed = spawnSync(command, ['-c'], { input: text, maxBuffer: 1 << 30 }).stdout;
      expect(detectCompression(packed)).toBe(format);
      expect((await collect(decompress(inPieces(packed, 3 + 65_536)))).equals(text)).toBe(true);
      expect(
        (await collect(decompress([packed.subarray(0, 2), packed.subarray(2), packed]))).equals(
          Buffer.concat([text, text]),
        ),
      ).toBe(true);
    },
  );

  test.skipIf(!isThere)(`${format}: cut or damaged is an error (needs ${command})`, async () => {
    const packed = spawnSync(command, ['-c'], { input: text, maxBuffer: 1 << 30 }).stdout;
    const error = { code: 'ARCHIVE_INVALID', message: `a damaged ${format} stream` };
    await expect(collect(decompress([packed.subarray(0, -20)]))).rejects.toMatchObject(error);
    const broken = Buffer.from(packed);
    broken.fill(0x55, broken.length >> 1, (broken.length >> 1) + 100);
    await expect(collect(decompress([broken]))).rejects.toMatchObject(error);
  });

  test.skipIf(!isThere)(
    `${format}: a failing source and an early stop leave nothing behind (needs ${command})`,
    async () => {
      const packed = spawnSync(command, ['-c'], { input: text, maxBuffer: 1 << 30 }).stdout;
      const failure = new BuildError('BLOB_CORRUPT', 'not what it should be');
      async function* failing() {
        yield packed.subarray(0, packed.length >> 1);
        throw failure;
      }
      await expect(collect(decompress(failing()))).rejects.toBe(failure);
      let isClosed = false;
      async function* watched() {
        try {
          yield packed;
        } finally {
          isClosed = true;
        }
      }
      for await (const chunk of decompress(watched())) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      expect(isClosed).toBe(true);
    },
  );
}

test('plain bytes pass, also fewer than a magic number has', async () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('x'), Buffer.from('BZ'), text]) {
    expect((await collect(decompress([bytes]))).equals(bytes)).toBe(true);
  }
});

test('a bomb is stopped by ratio and by size', async () => {
  const bomb = gzipSync(Buffer.alloc(20_000_000));
  const ratio = decompress([bomb], { compressionRatio: 100, ratioFloorBytes: 1_000_000 });
  await expect(collect(ratio)).rejects.toMatchObject({
    code: 'ARCHIVE_INVALID',
    message: expect.stringContaining('100 times'),
  });
  const size = decompress([bomb], { unpackedBytes: 5_000_000 });
  await expect(collect(size)).rejects.toMatchObject({
    code: 'ARCHIVE_INVALID',
    message: expect.stringContaining('5000000 bytes'),
  });
  expect(await collect(decompress([bomb]))).toHaveLength(20_000_000);
});

test('a missing program is named with its package', async () => {
  const before = process.env['PATH'];
  process.env['PATH'] = '/nonexistent';
  try {
    const stream = collect(decompress([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0])]));
    await expect(stream).rejects.toMatchObject({ code: 'UNSUPPORTED', hint: 'install the package `xz-utils`' });
  } finally {
    process.env['PATH'] = before;
  }
});

test('gzip at every level comes back; the default level is 6', async () => {
  const six = await collect(compress([text], { compression: 'gzip', level: 6 }));
  expect((await collect(compress(inPieces(text, 10_000), { compression: 'gzip' }))).equals(six)).toBe(true);
  for (const level of [1, 9]) {
    expect((await collect(decompress(compress([text], { compression: 'gzip', level })))).equals(text)).toBe(true);
  }
});

test.skipIf(spawnSync('zstd', ['--version']).error)('zstd at every level comes back (needs zstd)', async () => {
  expect((await collect(decompress(compress([text], { compression: 'zstd' })))).equals(text)).toBe(true);
  const short = text.subarray(0, 100_000);
  for (const level of [0, 1, 19, 20, 22]) {
    expect((await collect(decompress(compress([short], { compression: 'zstd', level })))).equals(short)).toBe(true);
  }
});
