/** How far deflate looks back, also beyond the beginning of a block. */
export const WINDOW = 32 * 1024;
/** Content is cut at whole records, as a tar is made of them. */
const RECORD = 512;
/**
 * Bytes of a block. Each costs as much as its window again; larger ones keep the threads, which Node.js needs for files too,
 * longer from other work, and the more of them a change touches.
 */
const LEAST = 128 * 1024;
export const MOST = 512 * 1024;
/** Bytes that a block is filled by at a time: what lies behind its end is copied again. */
const STEP = 64 * 1024;
/** One record in so many ends a block, so that blocks are twice `LEAST` on average. */
const CUTS = LEAST / RECORD;
/** Every so many bytes of a record decide: no power of two, as the lengths of lines in tables are. */
const STRIDE = 7;

/** Puts bytes at the beginning of `room`, which is not empty; gives how many, and 0 when there are no more. */
export type Filler = (room: Buffer) => number | Promise<number>;
/** Bytes in order; a chunk is its giver's again when the next one is asked for. */
export type ByteSource = Filler | AsyncIterable<Buffer> | Iterable<Buffer>;

/** A part of a stream that is compressed on its own. */
export interface Block {
  /** The bytes, after as much of what came before them as deflate can look back to. */
  readonly withWindow: Buffer;
  /** Where in `withWindow` the bytes begin. */
  readonly start: number;
}

export function contentOf({ withWindow, start }: Block): Buffer {
  return withWindow.subarray(start);
}

export function windowOf({ withWindow, start }: Block): Buffer {
  return withWindow.subarray(0, start);
}

/** Cuts a stream into blocks where its content says so: after a change, later blocks are what they were before it. */
export class BlockCutter {
  readonly #free: Buffer[] = [];

  /** The same bytes in blocks; none is empty. Each is to be given back by `release`, or it costs another buffer. */
  async *cut(source: ByteSource): AsyncGenerator<Block, void, undefined> {
    if (typeof source === 'function') return yield* this.#cut(source);
    const chunks = chunksOf(source);
    try {
      yield* this.#cut(fillerFrom(chunks));
    } finally {
      await chunks.return();
    }
  }

  async *#cut(fill: Filler): AsyncGenerator<Block, void, undefined> {
    let buffer = this.#take();
    let start = WINDOW; // nothing before it yet
    let [filled, looked] = [0, 0];
    for (;;) {
      const upTo = Math.min(MOST, Math.max(LEAST, filled + STEP));
      const filling = fill(buffer.subarray(WINDOW + filled, WINDOW + upTo));
      const count = typeof filling === 'number' ? filling : await filling;
      if (count === 0) break;
      filled += count;
      for (;;) {
        looked = Math.max(looked, LEAST - RECORD);
        while (looked + RECORD <= filled && !isEnd(buffer, WINDOW + looked)) looked += RECORD;
        const end = looked + RECORD <= filled ? looked + RECORD : filled === MOST ? MOST : 0;
        if (end === 0) break;
        const next = this.#take();
        // Before release, since the block's user may give it back at once.
        buffer.copy(next, 0, end, end + WINDOW);
        buffer.copy(next, WINDOW, WINDOW + end, WINDOW + filled);
        yield { withWindow: buffer.subarray(start, WINDOW + end), start: WINDOW - start };
        [buffer, start] = [next, 0];
        [filled, looked] = [filled - end, 0];
      }
    }
    if (filled > 0) yield { withWindow: buffer.subarray(start, WINDOW + filled), start: WINDOW - start };
  }

  /** The block is no longer needed: its memory is used again. */
  release({ withWindow }: Block): void {
    this.#free.push(Buffer.from(withWindow.buffer, 0, WINDOW + MOST));
  }

  #take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(WINDOW + MOST);
  }
}

/** Whether the record at `at` ends a block. Zeros do not, of which there may be many. */
function isEnd(buffer: Buffer, at: number): boolean {
  let mixed = 0x2545f491;
  for (let i = at; i < at + RECORD; i += STRIDE) mixed = Math.imul(mixed ^ buffer[i]!, 0x01000193);
  return ((mixed ^ (mixed >>> 15)) >>> 7) % CUTS === 0;
}

function fillerFrom(chunks: AsyncIterator<Buffer>): Filler {
  let chunk: Buffer = Buffer.alloc(0);
  return async (room) => {
    while (chunk.length === 0) {
      const next = await chunks.next();
      if (next.done) return 0;
      chunk = next.value;
    }
    const count = chunk.copy(room);
    chunk = chunk.subarray(count);
    return count;
  };
}

async function* chunksOf(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  yield* chunks;
}
