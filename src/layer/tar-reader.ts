import { type ByteString, toText } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { TarEntry } from './tar-entry.js';
import { mergeEntry } from './tar-entry.js';
import { parsePax, type PaxRecords } from './pax.js';
import { type Fragment, isSound, mapFromBlock, mapFromContent } from './sparse.js';
import { BLOCK, flags, paddingOf } from './tar-format.js';
import { parseHeader, parseNumber, type RawHeader } from './tar-header.js';

/** Takes what a `TarParser` finds, in the order of the archive. What it throws ends the parsing. */
export interface TarSink {
  entry(entry: TarEntry): void;
  /**
   * Content of the entry before: `bytes` stand at `position` of the file. The holes of a sparse file are not
   * delivered. `bytes` is a view of what was written to the parser, valid during the call.
   */
  data(bytes: Buffer, position: number): void;
  /** All content of the entry before has come; called once for every entry. */
  end(): void;
}

type State =
  | 'header'
  | 'second-zero'
  | 'special'
  | 'sparse-extension'
  | 'sparse-content'
  | 'content'
  | 'padding'
  | 'done';

/**
 * Reads a tar, pushed in chunks of any size, in constant memory: v7, USTAR, PAX, GNU, and the sparse forms of GNU.
 * Strict and tolerant where Go's archive/tar is, since that decides what a layer or archive means to BuildKit: global
 * PAX headers have no effect, the end blocks may be missing, bytes after them are ignored, and a header that does not
 * sum up is an error. Paths come out clean and inside the root (`cleanPath`). Throws BuildError ARCHIVE_INVALID with
 * offset and name, also beyond the bounds of `limits`.
 */
export class TarParser {
  readonly #sink: TarSink;
  readonly #block = Buffer.alloc(BLOCK);
  #filled = 0;
  #offset = 0;
  #state: State = 'header';
  #entries = 0;
  #unpacked = 0;
  /** Bytes still to come of content, special header or padding. */
  #left = 0;
  #padding = 0;
  #raw: RawHeader | undefined;
  #special: Buffer[] = [];
  #pax: PaxRecords | undefined;
  #longName: ByteString = '';
  #longLink: ByteString = '';
  #name: ByteString = '';
  #entry: TarEntry | undefined;
  #fragments: Fragment[] = [];
  #fragment = 0;
  #fragmentDone = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const before = at;
      if (this.#state === 'content') at = this.#takeContent(chunk, at);
      else if (this.#state === 'special') at = this.#takeSpecial(chunk, at);
      else if (this.#state === 'padding') at = this.#skip(chunk, at);
      else if (this.#state === 'done') at = chunk.length;
      else at = this.#takeBlock(chunk, at);
      this.#offset += at - before;
    }
  }

  /** To be called after the last chunk: throws when the archive stops in the middle of an entry. */
  finish(): void {
    if (this.#state === 'done' || this.#state === 'padding') return;
    if (this.#state === 'header' && this.#filled === 0) return;
    if (this.#state === 'second-zero' && this.#filled === 0) return;
    throw this.#damaged('the archive ends too early');
  }

  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#filled === 0 && chunk.length - at >= BLOCK) {
      this.#onBlock(chunk.subarray(at, at + BLOCK), BLOCK);
      return at + BLOCK;
    }
    const copied = chunk.copy(this.#block, this.#filled, at, at + BLOCK - this.#filled);
    this.#filled += copied;
    if (this.#filled === BLOCK) {
      this.#filled = 0;
      this.#onBlock(this.#block, copied);
    }
    return at + copied;
  }

  /** `fresh`: how many bytes of the block are not yet counted in the offset. */
  #onBlock(block: Buffer, fresh: number): void {
    const end = this.#offset + fresh;
    switch (this.#state) {
      case 'header':
        if (isZero(block)) this.#state = 'second-zero';
        else this.#onHeader(block, end);
        break;
      case 'second-zero':
        if (!isZero(block)) throw this.#damaged('one block of zeros stands between two entries');
        this.#state = 'done';
        break;
      case 'sparse-extension':
        this.#addSparse(block, false, end);
        break;
      case 'sparse-content':
        this.#special.push(Buffer.from(block));
        this.#left -= BLOCK;
        this.#onSparseContent(end);
        break;
    }
  }

  #onHeader(block: Buffer, end: number): void {
    const raw = parseHeader(block);
    if (!raw) throw this.#damaged('not a tar header');
    this.#raw = raw;
    this.#name = this.#longName || this.#pax?.get('path') || raw.name;
    switch (raw.flag) {
      case flags.paxLocal:
      case flags.paxGlobal:
      case flags.gnuLongName:
      case flags.gnuLongLink:
        if (raw.size < 0 || raw.size > limits.paxBytes) throw this.#damaged('an extended header is too long');
        this.#special = [];
        this.#left = raw.size;
        this.#padding = paddingOf(raw.size);
        this.#state = 'special';
        if (raw.size === 0) this.#onSpecial();
        break;
      default:
        this.#onEntry(raw, block, end);
    }
  }

  #takeSpecial(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#special.push(Buffer.from(chunk.subarray(at, end)));
    this.#left -= end - at;
    if (this.#left === 0) this.#onSpecial();
    return end;
  }

  #onSpecial(): void {
    const bytes = Buffer.concat(this.#special);
    this.#special = [];
    const flag = this.#raw!.flag;
    if (flag === flags.gnuLongName) this.#longName = untilNul(bytes);
    else if (flag === flags.gnuLongLink) this.#longLink = untilNul(bytes);
    else {
      const records = parsePax(bytes);
      if (!records) throw this.#damaged('a damaged PAX header');
      // After a global header Go returns to its caller, and forgets what stood before it.
      this.#pax = flag === flags.paxLocal ? records : undefined;
      if (flag === flags.paxGlobal) this.#longName = this.#longLink = '';
    }
    this.#toPadding();
  }

  #onEntry(raw: RawHeader, block: Buffer, end: number): void {
    if (++this.#entries > limits.archiveEntries) throw this.#damaged('too many entries');
    const merged = mergeEntry(raw, this.#pax, this.#longName, this.#longLink);
    if (typeof merged === 'string') throw this.#damaged(merged);
    this.#pax = undefined;
    this.#longName = this.#longLink = '';
    this.#name = merged.entry.rawName;
    this.#entry = merged.entry;
    this.#left = merged.stored;
    this.#padding = paddingOf(merged.stored);
    this.#fragments = merged.fragments ?? [];
    if (merged.sparse === 'old-gnu') this.#addSparse(block, true, end);
    else if (merged.sparse === '1.0') {
      this.#special = [];
      this.#state = 'sparse-content';
      this.#needBlock();
    } else this.#begin(merged.sparse === '0.x', end);
  }

  #addSparse(block: Buffer, isHeader: boolean, end: number): void {
    const map = mapFromBlock(block, isHeader, parseNumber);
    if (!map) throw this.#damaged('a damaged sparse map');
    this.#fragments.push(...map.fragments);
    if (this.#fragments.length * 24 > limits.paxBytes) throw this.#damaged('a sparse map is too long');
    if (map.more) this.#state = 'sparse-extension';
    else this.#begin(true, end);
  }

  #onSparseContent(end: number): void {
    const text = Buffer.concat(this.#special).toString('latin1');
    const map = mapFromContent(text);
    if (map === undefined) throw this.#damaged('a damaged sparse map');
    if (map === 'more') {
      if (text.length > limits.paxBytes) throw this.#damaged('a sparse map is too long');
      return this.#needBlock();
    }
    this.#special = [];
    this.#fragments = map;
    this.#begin(true, end);
  }

  #needBlock(): void {
    if (this.#left < BLOCK) throw this.#damaged('a damaged sparse map');
  }

  /** `end`: offset of the first byte of content. */
  #begin(isSparse: boolean, end: number): void {
    const entry = this.#entry!;
    if (isSparse && !isSound(this.#fragments, entry.size, this.#left)) throw this.#damaged('a damaged sparse map');
    this.#unpacked += entry.size;
    if (this.#unpacked > limits.unpackedBytes) throw this.#damaged('the content is too large');
    if (isSparse) this.#fragments = this.#fragments.filter(({ length }) => length > 0);
    else this.#fragments = [{ offset: 0, length: this.#left }];
    this.#fragment = this.#fragmentDone = 0;
    this.#sink.entry({ ...entry, dataOffset: end, ...(isSparse && { fragments: this.#fragments }) });
    if (this.#left === 0) this.#finishEntry();
    else this.#state = 'content';
  }

  #takeContent(chunk: Buffer, at: number): number {
    const { offset, length } = this.#fragments[this.#fragment]!;
    const end = Math.min(chunk.length, at + length - this.#fragmentDone);
    this.#sink.data(chunk.subarray(at, end), offset + this.#fragmentDone);
    this.#fragmentDone += end - at;
    this.#left -= end - at;
    if (this.#fragmentDone === length) {
      this.#fragment++;
      this.#fragmentDone = 0;
    }
    if (this.#left === 0) this.#finishEntry();
    return end;
  }

  #finishEntry(): void {
    this.#sink.end();
    this.#entry = undefined;
    this.#toPadding();
  }

  #toPadding(): void {
    this.#left = this.#padding;
    this.#state = this.#left === 0 ? 'header' : 'padding';
  }

  #skip(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = 'header';
    return end;
  }

  #damaged(why: string): BuildError {
    const name = this.#name === '' ? '' : `, entry \`${toText(this.#name.slice(0, 200))}\``;
    return new BuildError('ARCHIVE_INVALID', `invalid tar archive at byte ${this.#offset}${name}: ${why}`);
  }
}

function untilNul(bytes: Buffer): ByteString {
  const nul = bytes.indexOf(0);
  return bytes.toString('latin1', 0, nul < 0 ? bytes.length : nul);
}

function isZero(block: Buffer): boolean {
  for (let i = 0; i < BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}
