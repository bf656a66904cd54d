import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { BuildError, hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { wholeFrames } from './compression-zstd-frames.js';
import { parallelGzip, type KnownPieces } from './parallel-gzip.js';

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

const MAGIC: readonly (readonly [Compression, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b, 0x08])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['bzip2', Buffer.from('BZh')],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
];

/** As many bytes as `detectCompression` wants to see. */
export const MAGIC_BYTES = 6;

/** How a stream that begins with `head` is compressed, told by its first bytes and never by a name. */
export function detectCompression(head: Buffer): Compression {
  return MAGIC.find(([, magic]) => head.subarray(0, magic.length).equals(magic))?.[0] ?? 'none';
}

export interface DecompressOptions {
  /** Default: told by the first bytes. */
  readonly compression?: Compression;
  /** Bounds on what comes out; defaults from `limits`. */
  readonly unpackedBytes?: number;
  readonly compressionRatio?: number;
  readonly ratioFloorBytes?: number;
}

const CHUNK = 256 * 1024;

/**
 * The uncompressed bytes of `source`, whatever it is compressed with; bytes that are not compressed pass as they are.
 * Throws ARCHIVE_INVALID for damage, a cut stream and for bombs, UNSUPPORTED when a program for a rare format is
 * missing, and what `source` throws. Stopping early closes `source` and ends the program.
 */
export async function* decompress(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  options: DecompressOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const input = new CountedSource(source);
  try {
    const compression = options.compression ?? detectCompression(await input.peek(MAGIC_BYTES));
    if (compression === 'none') return yield* input.chunks();
    let size = 0;
    const packed = compression === 'zstd' ? wholeFrames(input.chunks()) : input.chunks();
    for await (const chunk of through(packed, decoder(compression), compression)) {
      size += chunk.length;
      checkBomb(size, input.size, options);
      yield chunk;
    }
  } finally {
    await input.close();
  }
}

/**
 * Levels as BuildKit's `compression-level` has them; zstd's 0 is, as there, the same as 1. Without a level BuildKit takes 6 of
 * Go's gzip, to which zlib's 5 is equal in size: 0.2 % smaller on programs and packages, 0.9 % larger on source code.
 */
export const compressionLevels = {
  gzip: { least: 0, most: 9, usual: 5 },
  zstd: { least: 0, most: 22, usual: 3 },
} as const;

export interface CompressOptions {
  readonly compression: 'gzip' | 'zstd';
  /** Within `compressionLevels`; default: the usual one. */
  readonly level?: number;
  /** What is known of gzip's pieces at this level. */
  readonly known?: KnownPieces | undefined;
}

/**
 * The compressed bytes of `source`. The same bytes each time with one version of the encoder, not across versions.
 * Throws UNSUPPORTED when Node.js has no zstd and its program is missing, and what `source` throws.
 */
export async function* compress(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  { compression, level, known }: CompressOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const usual = compressionLevels[compression].usual;
  if (compression === 'gzip') yield* parallelGzip(source, { level: level ?? usual, known });
  else yield* through(source, zstdEncoder(level ?? usual), compression);
}

/** A program of the system, for what Node.js does not have. */
interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** What to install when it is missing, by its name in Debian. */
  readonly packageName: string;
}

type Coder = Duplex | Program;

/** zlib of Node.js 22.15 and later. */
interface ZstdZlib {
  readonly createZstdCompress?: (options: { params: Record<number, number>; chunkSize: number }) => Duplex;
  readonly createZstdDecompress?: (options: { chunkSize: number }) => Duplex;
}

const zstdZlib: typeof zlib & ZstdZlib = zlib;
/** ZSTD_c_compressionLevel, by number: the types of Node.js 20 do not name it. */
const ZSTD_LEVEL = 100;

function decoder(compression: Exclude<Compression, 'none'>): Coder {
  switch (compression) {
    case 'gzip':
      return zlib.createGunzip({ chunkSize: CHUNK });
    case 'zstd':
      return (
        zstdZlib.createZstdDecompress?.({ chunkSize: CHUNK }) ?? {
          command: 'zstd',
          args: ['-d', '-c', '-q'],
          packageName: 'zstd',
        }
      );
    case 'bzip2':
      return { command: 'bzip2', args: ['-d', '-c', '-q'], packageName: 'bzip2' };
    case 'xz':
      return { command: 'xz', args: ['-d', '-c', '-q', '--memlimit-decompress=2GiB'], packageName: 'xz-utils' };
  }
}

/** The number of threads decides nothing but time and memory. */
function zstdEncoder(level: number): Coder {
  const given = Math.max(level, 1);
  const made = zstdZlib.createZstdCompress?.({ params: { [ZSTD_LEVEL]: given }, chunkSize: CHUNK });
  if (made) return made;
  const isUltra = given > 19; // takes hundreds of megabytes a thread
  const threads = isUltra ? 1 : Math.min(availableParallelism(), 4);
  const args = ['-c', '-q', `-T${threads}`, ...(isUltra ? ['--ultra'] : []), `-${given}`];
  return { command: 'zstd', args, packageName: 'zstd' };
}

async function* through(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  coder: Coder,
  compression: Compression,
): AsyncGenerator<Buffer, void, undefined> {
  if ('command' in coder) return yield* throughProgram(source, coder, compression);
  const feeding = pipeline(source, coder).catch(() => undefined); // destroys the coder with the error, so it is met below
  try {
    for await (const chunk of coder as AsyncIterable<Buffer>) yield chunk;
    await feeding;
  } catch (cause) {
    throw hasZlibCode(cause) ? damaged(compression, cause) : cause;
  }
}

async function* throughProgram(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  { command, args, packageName }: Program,
  compression: Compression,
): AsyncGenerator<Buffer, void, undefined> {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(0, 500)));
  const ended = new Promise<number | Error>((resolve) => {
    child.once('error', resolve).once('close', (code) => resolve(code ?? -1));
  });
  const fed = pipeline(source, child.stdin).then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    let broken: unknown;
    try {
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      broken = error; // how the program ended says more
    }
    const end = await ended;
    if (end instanceof Error) throw hasCode(end, 'ENOENT') ? missing(command, packageName, compression) : end;
    const failure = await fed;
    // a program that stopped reading breaks its pipe; why it stopped is in its exit code
    if (failure !== undefined && !hasCode(failure, 'EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE')) throw failure;
    if (end !== 0) throw damaged(compression, new Error(complaint.trim() || `\`${command}\` ended with code ${end}`));
    if (broken !== undefined) throw broken;
  } finally {
    child.kill('SIGKILL');
  }
}

/** Counts what is read, and lets one look at the beginning. */
class CountedSource {
  size = 0;
  readonly #chunks: AsyncIterator<Buffer> | Iterator<Buffer>;
  #head: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer> | Iterable<Buffer>) {
    this.#chunks = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** The first `count` bytes, or all if there are fewer. */
  async peek(count: number): Promise<Buffer> {
    while (this.#head.length < count) {
      const next = await this.#chunks.next();
      if (next.done === true) break;
      this.#head = this.#head.length === 0 ? next.value : Buffer.concat([this.#head, next.value]);
    }
    return this.#head;
  }

  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    this.size = this.#head.length;
    if (this.#head.length > 0) yield this.#head;
    this.#head = Buffer.alloc(0);
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done === true) return;
      this.size += next.value.length;
      yield next.value;
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** Throws ARCHIVE_INVALID when `read` bytes have given `size`, and that is more than is good. */
export function checkBomb(size: number, read: number, options: DecompressOptions = {}): void {
  const most = options.unpackedBytes ?? limits.unpackedBytes;
  const ratio = options.compressionRatio ?? limits.compressionRatio;
  const isBomb = size > (options.ratioFloorBytes ?? limits.ratioFloorBytes) && size > read * ratio;
  if (size <= most && !isBomb) return;
  const why = size > most ? `to more than ${most} bytes` : `to more than ${ratio} times its size`;
  throw new BuildError('ARCHIVE_INVALID', `a compressed stream unpacks ${why}`, {
    hint: 'such streams are made to fill disks; unpack it yourself if you trust it',
  });
}

function missing(command: string, packageName: string, compression: Compression): BuildError {
  return new BuildError('UNSUPPORTED', `${compression} needs the program \`${command}\`, which is not installed`, {
    hint: `install the package \`${packageName}\``,
  });
}

/** What to throw for an error of a decoder. */
export function damaged(compression: Compression, cause: unknown): BuildError {
  return new BuildError('ARCHIVE_INVALID', `a damaged ${compression} stream`, { cause });
}

/** Whether it is the bytes that an error is about. */
export function hasZlibCode(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(Z_|ZSTD_)/.test(String(error.code));
}
