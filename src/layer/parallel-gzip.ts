import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { looksCompressed } from './compression-probe.js';

const { Z_SYNC_FLUSH } = zlib.constants;
/**
 * What one thread deflates in one go. Larger blocks do not make the result smaller, but keep the threads, which Node.js
 * needs for files too, longer from other work.
 */
const BLOCK = 256 * 1024;
/** How far deflate looks back, also beyond the beginning of a block. */
const WINDOW = 32 * 1024;
/** More than a block can become. */
const MOST = BLOCK + 4096;
/** What is given out at a time, at least. Whoever writes it waits for the same threads, so it should be worth it. */
const BATCH = 1024 * 1024;

/** Deflate, no name, no time, and as the system 255 (unknown), whatever this one is. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** An empty last block. */
const END = Buffer.from([0x03, 0x00]);

const deflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);

/**
 * Blocks under way at a time: one on each thread, and one to follow on. The threads are those of Node.js, of which there
 * are four unless the environment says otherwise: they cost no memory and need no ending, as threads of our own would.
 */
function blocksUnderWay(): number {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? '') || 4;
  return Math.min(availableParallelism(), threads) + 1;
}

/**
 * The gzip stream of `source`, made on several processors: blocks are deflated independently, each with what came before
 * it as its dictionary, so nothing is lost by it but a few bytes a block. The result depends on the content and `level`
 * alone, not on `underWay` nor on how the content is cut. Holds `underWay` blocks; when it ends, however, nothing goes on.
 */
export async function* parallelGzip(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  level: number,
  underWay: number = blocksUnderWay(),
): AsyncGenerator<Buffer, void, undefined> {
  let batch: Buffer[] = [HEADER];
  let batched = 0;
  for await (const piece of pieces(source, level, underWay)) {
    batch.push(piece);
    batched += piece.length;
    if (batched < BATCH) continue;
    yield Buffer.concat(batch);
    batch = [];
    batched = 0;
  }
  yield Buffer.concat(batch);
}

/** What follows on the header, in order. */
async function* pieces(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  level: number,
  underWay: number,
): AsyncGenerator<Buffer, void, undefined> {
  const running: Promise<Buffer>[] = [];
  let [crc, size] = [0, 0];
  let dictionary: Buffer | undefined;
  try {
    for await (const block of blocksOf(source)) {
      if (running.length === underWay) yield await running.shift()!;
      const piece = deflate(block, {
        level: looksCompressed(block) ? 0 : level,
        finishFlush: Z_SYNC_FLUSH,
        chunkSize: MOST,
        ...(dictionary && { dictionary }),
      });
      piece.catch(() => undefined); // met when its turn comes
      running.push(piece);
      crc = zlib.crc32(block, crc);
      size += block.length;
      dictionary = block.subarray(-WINDOW);
    }
    while (running.length > 0) yield await running.shift()!;
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(crc, 0);
    trailer.writeUInt32LE(size % 2 ** 32, 4);
    yield Buffer.concat([END, trailer]);
  } finally {
    await Promise.allSettled(running);
  }
}

/** The same bytes in blocks of one size; the last one may be shorter, none is empty. */
async function* blocksOf(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let block = Buffer.allocUnsafeSlow(BLOCK);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const count = chunk.copy(block, filled, at);
      at += count;
      filled += count;
      if (filled < BLOCK) continue;
      yield block;
      block = Buffer.allocUnsafeSlow(BLOCK);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}
