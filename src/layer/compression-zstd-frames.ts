import { BuildError } from '../base/errors.js';

const MAGIC = 0xfd2fb528;
/** The last four bits say which; such frames are skipped. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const RLE_BLOCK = 1;
/** Bytes that are read of each part before it is known how many follow. */
const HEAD = { magic: 4, skippable: 4, descriptor: 1, block: 3 } as const;
const DICTIONARY_ID_SIZES = [0, 1, 2, 4] as const;

/** Passes a zstd stream on; throws ARCHIVE_INVALID when it is cut, which the zstd of Node.js does not notice. */
export async function* wholeFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const frames = new ZstdFrames();
  for await (const chunk of source) {
    frames.follow(chunk);
    yield chunk;
  }
  if (frames.areWhole) return;
  throw new BuildError('ARCHIVE_INVALID', 'a damaged zstd stream', { cause: new Error('it is cut') });
}

/** Follows the frames of a stream from one header to the next (RFC 8878, section 3.1). */
class ZstdFrames {
  #part: keyof typeof HEAD = 'magic';
  #head: Buffer = Buffer.alloc(0);
  /** Bytes until the next head. */
  #skip = 0;
  #hasChecksum = false;

  /** Whether the stream may end here. */
  get areWhole(): boolean {
    return this.#part === 'magic' && this.#head.length === 0 && this.#skip === 0;
  }

  follow(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const skipped = Math.min(this.#skip, chunk.length - at);
      this.#skip -= skipped;
      at += skipped;
      const wanted = HEAD[this.#part] - this.#head.length;
      this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + wanted)]);
      at += wanted;
      if (this.#head.length < HEAD[this.#part]) return;
      const head = this.#head;
      this.#head = Buffer.alloc(0);
      this.#enter(head);
    }
  }

  #enter(head: Buffer): void {
    switch (this.#part) {
      case 'magic': {
        const magic = head.readUInt32LE();
        if (magic === MAGIC) this.#part = 'descriptor';
        else if ((magic & ~0xf) >>> 0 === SKIPPABLE_MAGIC) this.#part = 'skippable';
        else this.#skip = Infinity; // no zstd from here on
        return;
      }
      case 'skippable':
        this.#skip = head.readUInt32LE();
        this.#part = 'magic';
        return;
      case 'descriptor': {
        const flags = head[0]!;
        const isOneSegment = (flags & 0x20) !== 0;
        const sizeFlag = flags >> 6;
        const contentSize = sizeFlag === 0 ? Number(isOneSegment) : 2 ** sizeFlag;
        this.#hasChecksum = (flags & 0x04) !== 0;
        this.#skip = (isOneSegment ? 0 : 1) + DICTIONARY_ID_SIZES[flags & 0x03]! + contentSize;
        this.#part = 'block';
        return;
      }
      case 'block': {
        const bits = head.readUIntLE(0, 3);
        this.#skip = ((bits >> 1) & 0x03) === RLE_BLOCK ? 1 : bits >> 3;
        if ((bits & 1) === 0) return;
        if (this.#hasChecksum) this.#skip += 4;
        this.#part = 'magic';
      }
    }
  }
}
