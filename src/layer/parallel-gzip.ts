import { hash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { looksCompressed } from './compression-probe.js';
import { BlockCutter, contentOf, windowOf, type Block, type ByteSource } from './gzip-blocks.js';

const { Z_SYNC_FLUSH } = zlib.constants;
/** What deflate gives out at a time: most blocks become less. */
const OUTPUT = 128 * 1024;
/** What is given out at a time, at least. Whoever writes it waits for the same threads, so it should be worth it. */
const BATCH = 1024 * 1024;
/** A piece that is given out alone. */
const LARGE = 128 * 1024;
/** What deflate's form of bytes as they are can hold in one go (RFC 1951, 3.2.4), and what it puts before them. */
const STORED = 65_535;
const STORED_HEADER = 5;

/** Deflate, no name, no time, and as the system 255 (unknown), whatever this one is. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** An empty last block. */
const END = Buffer.from([0x03, 0x00]);

const deflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);

/** What blocks were deflated to before, by a digest of all that decides on it: they need not be deflated again. */
export interface KnownPieces {
  /** `key` is sha256 of the block after its window, as 32 bytes in base64. */
  find(key: string): Promise<Buffer | undefined>;
  /** Told of every deflated block in the order of the stream, and of the place in it at which it begins. */
  keep(key: string, piece: Buffer, start: number): void;
}

export interface ParallelGzipOptions {
  readonly level: number;
  /** Blocks under way at a time, asked for before each; default: some for each thread. */
  readonly underWay?: () => number;
  /** Of the same level, and `MADE_BY` the same. */
  readonly known?: KnownPieces | undefined;
}

/** zlib's largest table of what came before: a twentieth less time than with its default, and a little less to send. */
const MEM_LEVEL = 9;
/** Equal blocks come to other pieces where this is another. */
export const MADE_BY = `${process.versions.zlib} memLevel ${MEM_LEVEL}`;

/** Blocks that wait for each thread, so that none stands still while this one has something else to do. */
const WAITING = 3;

/**
 * Blocks under way at a time. The threads are those of Node.js, of which there
 * are four unless the environment says otherwise: they cost no memory and need no ending, as threads of our own would.
 */
export function blocksUnderWay(): number {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? '') || 4;
  return WAITING * Math.min(availableParallelism(), threads);
}

/**
 * The gzip stream of `source`, made on several processors: blocks are deflated independently, each with what came before
 * it as its dictionary, so nothing is lost by it but a few bytes a block. The result depends on the content and the level
 * alone, not on `underWay`, nor on how the content is cut, nor on what is known. Holds `underWay` blocks; when it ends,
 * however, nothing goes on.
 */
export async function* parallelGzip(
  source: ByteSource,
  options: ParallelGzipOptions,
): AsyncGenerator<Buffer, void, undefined> {
  let batch: Buffer[] = [HEADER];
  let batched = 0;
  for await (const piece of pieces(source, options)) {
    const isBig = piece.length >= LARGE;
    if (!isBig) batched += batch.push(piece) && piece.length;
    if (batch.length > 0 && (isBig || batched >= BATCH)) {
      yield Buffer.concat(batch);
      batch = [];
      batched = 0;
    }
    if (isBig) yield piece;
  }
  yield Buffer.concat(batch);
}

/** One block's part of the stream; the key is there for what was deflated. */
interface Piece {
  readonly bytes: Buffer;
  readonly key?: string;
}

/** What follows on the header, in order. */
async function* pieces(
  source: ByteSource,
  { level, known, underWay = blocksUnderWay }: ParallelGzipOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const running: Promise<Piece>[] = [];
  const cutter = new BlockCutter();
  let [crc, size, written] = [0, 0, HEADER.length];
  const next = async (): Promise<Buffer> => {
    const { bytes, key } = await running.shift()!;
    if (key !== undefined) known?.keep(key, bytes, written);
    written += bytes.length;
    return bytes;
  };
  try {
    for await (const block of cutter.cut(source)) {
      while (running.length >= underWay()) yield await next();
      const content = contentOf(block);
      crc = zlib.crc32(content, crc);
      size += content.length;
      const piece = pieceOf(block, level, known).finally(() => cutter.release(block));
      piece.catch(() => undefined); // met when its turn comes
      running.push(piece);
    }
    while (running.length > 0) yield await next();
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(crc, 0);
    trailer.writeUInt32LE(size % 2 ** 32, 4);
    yield Buffer.concat([END, trailer]);
  } finally {
    await Promise.allSettled(running);
  }
}

async function pieceOf(block: Block, level: number, known: KnownPieces | undefined): Promise<Piece> {
  const content = contentOf(block);
  if (level === 0 || looksCompressed(content)) return { bytes: stored(content) };
  if (!known) return { bytes: await deflated(block, level) };
  const key = hash('sha256', block.withWindow, 'base64');
  return { bytes: (await known.find(key)) ?? (await deflated(block, level)), key };
}

async function deflated(block: Block, level: number): Promise<Buffer> {
  const window = windowOf(block);
  return await deflate(contentOf(block), {
    level,
    memLevel: MEM_LEVEL,
    finishFlush: Z_SYNC_FLUSH,
    chunkSize: OUTPUT,
    ...(window.length > 0 && { dictionary: window }),
  });
}

/** Bytes as they are, in deflate's form. */
function stored(content: Buffer): Buffer {
  const parts = Math.ceil(content.length / STORED);
  const bytes = Buffer.allocUnsafe(content.length + parts * STORED_HEADER);
  let at = 0;
  for (let from = 0; from < content.length; from += STORED) {
    const length = Math.min(STORED, content.length - from);
    bytes[at] = 0;
    bytes.writeUInt16LE(length, at + 1);
    bytes.writeUInt16LE(length ^ 0xffff, at + 3);
    content.copy(bytes, at + STORED_HEADER, from, from + length);
    at += STORED_HEADER + length;
  }
  return bytes;
}
