import type { ByteString } from '../../base/bytes.js';
import { CTIME, DEV, INO, MTIME, SIZE, STAT_ROW } from '../../base/stat-row.js';
import type { Digest } from '../../oci/digest.js';
import type { DirListing } from './dir-listing.js';

/** What must be equal for a file to have the bytes that it had. Its change time alone cannot be set by a user. */
const COMPARED = [DEV, INO, SIZE, MTIME, CTIME] as const;
const NUMBERS = COMPARED.length;
const DIGEST_BYTES = 32;

interface KnownDir {
  readonly names: readonly ByteString[];
  /** The place of the first name's file among all. */
  readonly start: number;
}

/** The sizes of the parts of an encoded table. */
export interface KnownFilesShape {
  readonly files: number;
  readonly textBytes: number;
}

/** Digests of files of a context as they were in an earlier build, by directory. */
export class KnownFiles {
  readonly #numbers: Float64Array;
  readonly #digests: Buffer;
  readonly #dirs = new Map<ByteString, KnownDir>();

  private constructor(numbers: Float64Array, digests: Buffer) {
    this.#numbers = numbers;
    this.#digests = digests;
  }

  /** Undefined for bytes that are not of that shape. */
  static decode(bytes: Buffer, { files, textBytes }: KnownFilesShape): KnownFiles | undefined {
    const [numbersEnd, digestsEnd] = [files * NUMBERS * 8, files * (NUMBERS * 8 + DIGEST_BYTES)];
    if (bytes.length !== digestsEnd + textBytes) return undefined;
    const numbers = new Float64Array(new Uint8Array(bytes.subarray(0, numbersEnd)).buffer); // copied, to be aligned
    const known = new KnownFiles(numbers, bytes.subarray(numbersEnd, digestsEnd));
    const words = bytes.toString('latin1', digestsEnd).split('\0');
    let start = 0;
    for (let i = 0; i + 1 < words.length; i += 2) {
      const names = words[i + 1]!.split('/');
      known.#dirs.set(words[i]!, { names, start });
      start += names.length;
    }
    return start === files ? known : undefined;
  }

  get dirs(): Iterable<ByteString> {
    return this.#dirs.keys();
  }

  /** For each name of the listing the place of its file here, if it still is as it was; else -1. */
  match(dir: ByteString, { names, rows }: DirListing): Int32Array {
    const places = new Int32Array(names.length).fill(-1);
    const known = this.#dirs.get(dir);
    if (!known) return places;
    let next = 0;
    for (const [index, name] of names.entries()) {
      while (next < known.names.length && known.names[next]! < name) next++;
      if (known.names[next] !== name) continue;
      if (this.#isSame(known.start + next, rows, index * STAT_ROW)) places[index] = known.start + next;
    }
    return places;
  }

  digest(place: number): Digest {
    const at = place * DIGEST_BYTES;
    return `sha256:${this.#digests.toString('hex', at, at + DIGEST_BYTES)}` as Digest;
  }

  #isSame(place: number, rows: Float64Array, row: number): boolean {
    for (let i = 0, at = place * NUMBERS; i < NUMBERS; i++) {
      if (this.#numbers[at + i] !== rows[row + COMPARED[i]!]) return false;
    }
    return true;
  }

  /** Hands a directory's files to `writer` as they are. */
  copyTo(writer: KnownFilesWriter, dir: ByteString): void {
    const { names, start } = this.#dirs.get(dir)!;
    const [from, to] = [start, start + names.length];
    writer.addCopy(
      dir,
      names,
      this.#numbers.subarray(from * NUMBERS, to * NUMBERS),
      this.#digests.subarray(from * DIGEST_BYTES, to * DIGEST_BYTES),
    );
  }
}

/** Puts a table together. */
export class KnownFilesWriter {
  readonly #numbers: Uint8Array[] = [];
  readonly #digests: Uint8Array[] = [];
  readonly #text: string[] = [];
  #files = 0;

  /** The files of a directory whose digests are given, by their place in the listing. */
  add(dir: ByteString, { names, rows }: DirListing, digests: ReadonlyMap<number, Digest>): void {
    const places = [...digests.keys()].sort((a, b) => a - b);
    const numbers = new Float64Array(places.length * NUMBERS);
    const bytes = Buffer.allocUnsafe(places.length * DIGEST_BYTES);
    for (const [i, place] of places.entries()) {
      for (const [k, column] of COMPARED.entries()) numbers[i * NUMBERS + k] = rows[place * STAT_ROW + column]!;
      bytes.write(digests.get(place)!.slice('sha256:'.length), i * DIGEST_BYTES, 'hex');
    }
    const known = places.map((place) => names[place]!);
    this.addCopy(dir, known, numbers, bytes);
  }

  addCopy(dir: ByteString, names: readonly ByteString[], numbers: Float64Array, digests: Uint8Array): void {
    if (names.length === 0) return;
    this.#numbers.push(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
    this.#digests.push(digests);
    this.#text.push(dir, names.join('/'));
    this.#files += names.length;
  }

  finish(): { readonly bytes: Buffer; readonly shape: KnownFilesShape } {
    const text = Buffer.from(this.#text.join('\0'), 'latin1');
    const bytes = Buffer.concat([...this.#numbers, ...this.#digests, text]);
    return { bytes, shape: { files: this.#files, textBytes: text.length } };
  }
}
