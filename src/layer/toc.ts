import { createHash, type Hash } from 'node:crypto';
import type { Digest, DiffId } from '../oci/digest.js';
import type { Entry } from './entry.js';
import type { Fragment } from './sparse.js';
import type { TarEntry } from './tar-entry.js';
import { TarParser, type TarSink } from './tar-reader.js';

/** An entry of a layer, with what is needed to read its content later. */
export interface TocEntry extends Entry {
  /** Files: of the content, holes as zeros; absent where the table says so. */
  readonly digest?: Digest;
  /** Files: where the content begins in the uncompressed tar. */
  readonly dataOffset?: number;
  /** Sparse files: the parts that the tar holds, one directly after the other from `dataOffset`. */
  readonly fragments?: readonly Fragment[];
  /** The content itself, of the small files that name users. */
  readonly bytes?: Buffer;
}

/** Whether files come with the digests of their contents. Hashing them takes as long as hashing the layer. */
export type Digests = 'all' | 'none';

/** Table of contents of one layer: its entries in the order of the tar, markers of removal among them. */
export interface Toc {
  /** Absent for 'all'. */
  readonly digests?: 'none';
  readonly diffId: DiffId;
  /** Bytes of the uncompressed tar. */
  readonly size: number;
  readonly entries: readonly TocEntry[];
}

/** Files that `USER`, `COPY --chown` and WORKDIR look into, and the most that is kept of one. */
const KEPT = new Set(['etc/passwd', 'etc/group']);
const KEPT_BYTES = 1024 * 1024;

/** True if a table of contents keeps the bytes of this file. */
export function isKept(path: string, size: number): boolean {
  return size <= KEPT_BYTES && KEPT.has(path);
}

const ZEROS = Buffer.alloc(256 * 1024);

/** Makes the entries of a table of contents from what a `TarParser` finds. */
export class TocSink implements TarSink {
  readonly entries: TocEntry[] = [];
  readonly #digests: Digests;
  #entry: TarEntry | undefined;
  #hash: Hash | undefined;
  #position = 0;
  #kept: Buffer[] | undefined;

  constructor(digests: Digests = 'all') {
    this.#digests = digests;
  }

  entry(entry: TarEntry): void {
    this.#entry = entry;
    this.#position = 0;
    this.#hash = entry.type === 'file' && this.#digests === 'all' ? createHash('sha256') : undefined;
    this.#kept = entry.type === 'file' && isKept(entry.path, entry.size) ? [] : undefined;
  }

  data(bytes: Buffer, position: number): void {
    if (!this.#hash && !this.#kept) return;
    this.#fill(position);
    this.#hash?.update(bytes);
    this.#kept?.push(Buffer.from(bytes));
    this.#position += bytes.length;
  }

  end(): void {
    const { rawName: _name, rawLinkname: _linkname, dataOffset, fragments, ...entry } = this.#entry!;
    if (this.#hash || this.#kept) this.#fill(entry.size);
    this.entries.push({
      ...entry,
      ...(this.#hash && { digest: `sha256:${this.#hash.digest('hex')}` as Digest }),
      ...(entry.type === 'file' && { dataOffset }),
      ...(fragments && { fragments }),
      ...(this.#kept && { bytes: Buffer.concat(this.#kept) }),
    });
  }

  #fill(until: number): void {
    for (; this.#position < until; this.#position += Math.min(ZEROS.length, until - this.#position)) {
      const zeros = ZEROS.subarray(0, Math.min(ZEROS.length, until - this.#position));
      this.#hash?.update(zeros);
      this.#kept?.push(zeros);
    }
  }
}

export interface TocOptions {
  /** Default: 'all'. */
  readonly digests?: Digests;
  /** Gives it in the end, where somebody else hashes the bytes. */
  readonly diffId?: (() => DiffId) | undefined;
}

/**
 * Reads an uncompressed layer once, in chunks pushed by the caller: checks it, hashes it, and makes its table of
 * contents, while `also` (an unpacker) sees every entry. Throws BuildError ARCHIVE_INVALID.
 */
export class TocBuilder {
  readonly #toc: TocSink;
  readonly #digests: Digests;
  readonly #hash: Hash | undefined;
  readonly #diffId: () => DiffId;
  readonly #parser: TarParser;
  #size = 0;

  constructor(also?: TarSink, { digests = 'all', diffId }: TocOptions = {}) {
    this.#digests = digests;
    this.#toc = new TocSink(digests);
    this.#parser = new TarParser(also ? both(this.#toc, also) : this.#toc);
    const hash = diffId ? undefined : createHash('sha256');
    this.#hash = hash;
    this.#diffId = diffId ?? (() => `sha256:${hash!.digest('hex')}` as DiffId);
  }

  write(chunk: Buffer): void {
    this.#hash?.update(chunk);
    this.#size += chunk.length;
    this.#parser.write(chunk);
  }

  finish(): Toc {
    this.#parser.finish();
    const toc = { diffId: this.#diffId(), size: this.#size, entries: this.#toc.entries };
    return this.#digests === 'none' ? { ...toc, digests: 'none' } : toc;
  }
}

/** The table of contents of an uncompressed layer; `also` sees every entry in the same pass. */
export async function buildToc(
  stream: AsyncIterable<Buffer> | Iterable<Buffer>,
  also?: TarSink,
  options?: TocOptions,
): Promise<Toc> {
  const builder = new TocBuilder(also, options);
  for await (const chunk of stream) builder.write(chunk);
  return builder.finish();
}

/** Every entry goes to `first`, then to `second`. */
export function both(first: TarSink, second: TarSink): TarSink {
  return {
    entry(entry) {
      first.entry(entry);
      second.entry(entry);
    },
    data(bytes, position) {
      first.data(bytes, position);
      second.data(bytes, position);
    },
    end() {
      first.end();
      second.end();
    },
  };
}
