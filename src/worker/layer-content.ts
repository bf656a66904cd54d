import { createHash } from 'node:crypto';
import { open, readFile, rm, stat, type FileHandle } from 'node:fs/promises';
import type { Cancel } from '../base/abort.js';
import { replaceFile } from '../base/atomic-file.js';
import { collectGarbage } from '../base/collect-garbage.js';
import { counted } from '../base/counted.js';
import { BuildError, hasCode, type ErrorCode } from '../base/errors.js';
import { OnceMap } from '../base/once-map.js';
import { BlobTar } from '../layer/blob-tar/blob-tar.js';
import type { Hashing } from '../layer/blob-tar/protocol.js';
import { decompress } from '../layer/compression.js';
import type { TarSink } from '../layer/tar-reader.js';
import { parseToc, serializeToc } from '../layer/saved-toc.js';
import { buildToc, type Digests, type Toc, type TocEntry } from '../layer/toc.js';
import { isPlainLayer, mediaTypes } from '../oci/descriptor.js';
import { hexOf, type Digest, type DiffId } from '../oci/digest.js';
import { readChunks, type ReadOptions as BlobReadOptions } from '../store/blobs.js';
import { withPassingLock } from '../store/lock.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import type { Progress } from './machine.js';
import { readTocSize } from './toc-size.js';
import { UnpackReport } from './unpack-report.js';

const MAX_SPARSE_GAP = 256 * 1024;
/** Compressed blobs from this size on are worth a thread of their own. */
const THREAD_BYTES = 1024 * 1024;
/** What damaged bytes may be taken for. */
const DAMAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ARCHIVE_INVALID', 'IMAGE_INVALID']);

export interface ReadOptions extends BlobReadOptions {
  /** Told the bytes of the blob, as it is stored, that were read so far. */
  readonly onProgress?: (current: number) => void;
  /** Of the files, in the table of contents. Default: 'all'. */
  readonly digests?: Digests;
}

export interface LayerContentOptions {
  /** Told how far the unpacking of a layer is. */
  readonly onProgress?: (progress: Progress) => void;
}

/** A layer that was read while it came. */
export interface GrownLayer {
  /** To be called when the blob is in its place. False when that is another file than the one that was read. */
  keep(): Promise<boolean>;
}

/** The layers of the store, read: tables of contents, which are made once and kept, and contents of single files. */
export class LayerContent {
  readonly #store: Store;
  readonly #options: LayerContentOptions;
  /** `digests`: those that were asked for; there may be more. */
  readonly #tocs = new Map<string, { readonly toc: Promise<Toc>; readonly digests: Digests }>();
  readonly #making = new OnceMap<string, LayerFact>();
  readonly #plain = new Map<string, LayerFact>();

  constructor(store: Store, options: LayerContentOptions = {}) {
    this.#store = store;
    this.#options = options;
  }

  /** The table of contents of a layer; without one, the layer is read once. Throws IMAGE_INVALID, ARCHIVE_INVALID. */
  async toc(fact: LayerFact, opts: Cancel): Promise<Toc> {
    return await this.#toc(fact, 'all', opts);
  }

  /** The same where names, owners, sizes and times will do: there may be no digests. */
  async names(fact: LayerFact, opts: Cancel): Promise<Toc> {
    return await this.#toc(fact, 'none', opts);
  }

  #toc(fact: LayerFact, digests: Digests, opts: Cancel): Promise<Toc> {
    const key = `${fact.diffId} ${fact.blob.digest}`;
    const known = this.#tocs.get(key);
    if (known && (digests === 'none' || known.digests === 'all')) return known.toc;
    const toc = this.#load(fact).then(async (kept) =>
      kept && (digests === 'none' || kept.digests !== 'none')
        ? kept
        : await this.read(fact, undefined, { ...opts, digests }),
    );
    this.#tocs.set(key, { toc, digests });
    toc.catch(() => this.#tocs.delete(key)); // whoever waits for it gets the error
    return toc;
  }

  /** Bytes of the uncompressed tar. Reads no more of a table of contents than it must. Throws as `toc`. */
  async size(fact: LayerFact, opts: Cancel): Promise<number> {
    if (isPlainLayer(fact.blob.mediaType)) return fact.blob.size;
    const known = (await this.#isKnown(fact)) ? await readTocSize(this.#store.paths.toc(fact.diffId)) : undefined;
    return known ?? (await this.names(fact, opts)).size;
  }

  /**
   * Reads the whole layer, checked against its diffId; `also` sees every entry. Keeps the table. Throws IMAGE_INVALID,
   * ARCHIVE_INVALID, and BLOB_CORRUPT where the bytes of the blob are the cause.
   */
  async read(fact: LayerFact, also: TarSink | undefined, opts: ReadOptions): Promise<Toc> {
    return await this.#readTar(fact, also, undefined, opts);
  }

  /**
   * Reads a layer whose blob `BlobStore.put` is bringing, from its first bytes on, as they come. Nothing is remembered of it
   * before `keep`: until the blob is in its place nobody knows whether these were its bytes. Throws as `read`, and what it
   * throws may be the fault of bytes that were not the blob's.
   */
  async readGrowing(fact: LayerFact, also: TarSink, opts: ReadOptions): Promise<GrownLayer> {
    const { blobs } = this.#store;
    const file = blobs.path(fact.blob.digest);
    const { digests = 'all' } = opts;
    const growing = blobs.growing(fact.blob.digest);
    const tar = new BlobTar({ file, growing, size: fact.blob.size }, { ...opts, hashing: HASHING[digests] });
    const toc = await buildToc(tar.chunks(), also, { digests, diffId: diffIdOf(tar, digests) });
    if (toc.diffId !== fact.diffId) throw foreign(fact, toc.diffId);
    return {
      keep: async () => {
        const { dev, ino } = await stat(file);
        if (dev !== tar.file.device || ino !== tar.file.inode) return false;
        await this.#keep(fact, toc);
        return true;
      },
    };
  }

  /** `copyTo`: takes the tar as well. */
  async #readTar(
    fact: LayerFact,
    also: TarSink | undefined,
    copyTo: FileHandle | undefined,
    opts: ReadOptions,
  ): Promise<Toc> {
    const { chunks, diffId } = this.#open(fact, opts);
    let toc: Toc;
    try {
      const { digests = 'all' } = opts;
      toc = await buildToc(copyTo ? copiedTo(chunks, copyTo) : chunks, also, { digests, diffId });
      if (toc.diffId !== fact.diffId) throw foreign(fact, toc.diffId);
    } catch (error) {
      if (error instanceof BuildError && DAMAGE.has(error.code)) await this.#requireBlob(fact, opts);
      throw error;
    }
    await this.#keep(fact, toc);
    if (fact.blob.size >= THREAD_BYTES) collectGarbage(); // of its entries, and of the thread
    return toc;
  }

  /** Not in place of a table that says more. */
  async #keep(fact: LayerFact, toc: Toc): Promise<void> {
    if (toc.digests !== 'none' || !(await this.#load(fact))) await this.save(toc);
    if (isPlainLayer(fact.blob.mediaType)) return;
    await this.#store.records.saveFact(unpackedFact(fact), { diffId: fact.diffId });
  }

  /** The table of contents as it was saved, of a layer that is known to unpack to its diffID; undefined when there is none. */
  async knownTable(fact: LayerFact): Promise<Buffer | undefined> {
    if (!(await this.#isKnown(fact))) return undefined;
    try {
      return await readFile(this.#store.paths.toc(fact.diffId));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async save(toc: Toc): Promise<void> {
    if (this.#store.access === 'read') return;
    const { paths, leaseId, holding } = this.#store;
    await holding.hold('toc', toc.diffId);
    await replaceFile(paths.toc(toc.diffId), serializeToc(toc), paths.temp(leaseId));
  }

  /** The uncompressed tar, checked against blob digest and diffId. Ends with IMAGE_INVALID, also before the first byte. */
  async *tar(fact: LayerFact, opts: ReadOptions): AsyncGenerator<Buffer, void, undefined> {
    if (isPlainLayer(fact.blob.mediaType)) {
      const { digest } = fact.blob;
      if (digest !== (fact.diffId as string)) throw foreign(fact, digest);
      return yield* this.#unpacked(fact, opts);
    }
    const hash = createHash('sha256');
    for await (const chunk of this.#unpacked(fact, opts)) {
      hash.update(chunk);
      yield chunk;
    }
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== fact.diffId) throw foreign(fact, found);
  }

  /**
   * The uncompressed tar, to be read once; a chunk is valid until the next one is asked for. Of a compressed blob only the
   * diffID is checked, by who reads. `diffId` gives that of the bytes, once all were read, where it need not be computed.
   */
  #open(
    fact: LayerFact,
    opts: ReadOptions,
  ): { readonly chunks: AsyncIterable<Buffer>; readonly diffId?: (() => DiffId) | undefined } {
    if (isPlainLayer(fact.blob.mediaType))
      return { chunks: this.#unpacked(fact, opts), diffId: () => plainDiffId(fact) };
    if (fact.blob.size < THREAD_BYTES) return { chunks: this.#unpacked(fact, opts) };
    const { digests = 'all' } = opts;
    const blob = { file: this.#store.blobs.path(fact.blob.digest), size: fact.blob.size };
    const tar = new BlobTar(blob, { ...opts, hashing: HASHING[digests] });
    return { chunks: tar.chunks(), diffId: diffIdOf(tar, digests) };
  }

  /** Throws BLOB_CORRUPT when the store has other bytes than it says: that is the cause, then, of what was wrong with them. */
  async #requireBlob({ blob }: LayerFact, opts: Cancel): Promise<void> {
    for await (const chunk of this.#store.blobs.open(blob, opts)) void chunk;
  }

  /** The uncompressed tar, checked against the blob's digest. */
  #unpacked(fact: LayerFact, opts: ReadOptions): AsyncGenerator<Buffer, void, undefined> {
    const blob = counted(this.#store.blobs.open(fact.blob, opts), opts.onProgress);
    return isPlainLayer(fact.blob.mediaType) ? blob : decompress(blob);
  }

  /**
   * The same layer with its bytes plain, so that they can be read at any place. A compressed one is unpacked once: its tar
   * has the diffID as its digest, lies under that in the store, and is what others find there. Throws as `read`.
   */
  plain(fact: LayerFact, opts: Cancel): Promise<LayerFact> {
    if (isPlainLayer(fact.blob.mediaType)) return Promise.resolve(fact);
    const key = `${fact.diffId} ${fact.blob.digest}`;
    const made = this.#plain.get(key);
    if (made) return Promise.resolve(made);
    return this.#making.run(key, opts.signal, async (signal) => {
      const digest = fact.diffId as string as Digest;
      const size = (await this.#plainSize(fact, { signal })) ?? (await this.#unpackPlain(fact, { signal }));
      const plain = { diffId: fact.diffId, blob: { mediaType: mediaTypes.layer, digest, size } };
      this.#plain.set(key, plain);
      return plain;
    });
  }

  /** Bytes of the tar if all of it is there, and if the layer is known to be that. */
  async #plainSize(fact: LayerFact, opts: Cancel): Promise<number | undefined> {
    if (!(await this.#isKnown(fact))) return undefined;
    const there = await this.#store.blobs.size(fact.diffId as string as Digest);
    return there !== undefined && there === (await this.names(fact, opts)).size ? there : undefined;
  }

  /** Under a lock, so that of several builds that want it one does it. Gives the bytes. */
  async #unpackPlain(fact: LayerFact, opts: Cancel): Promise<number> {
    const { blobs, paths } = this.#store;
    return await withPassingLock(paths.lock(`plain-${hexOf(fact.diffId)}`), opts.signal, async () => {
      const known = await this.#plainSize(fact, opts);
      if (known !== undefined) return known;
      const report = new UnpackReport(fact, this.#options.onProgress);
      const temp = await blobs.tempPath();
      const file = await open(temp, 'wx', 0o644);
      try {
        const { size } = await this.#readTar(fact, undefined, file, { ...opts, onProgress: report.update });
        await file.close();
        await blobs.adopt(temp, fact.diffId as string as Digest, size);
        return size;
      } catch (error) {
        await file.close();
        await rm(temp, { force: true });
        throw error;
      } finally {
        report.end();
      }
    });
  }

  /** The content of one file of a layer, holes as zeros. From a compressed layer that takes reading up to the file. */
  async *file(fact: LayerFact, entry: TocEntry, opts: Cancel): AsyncGenerator<Buffer, void, undefined> {
    if (entry.size === 0) return;
    const fragments = entry.fragments ?? [{ offset: 0, length: entry.size }];
    let at = entry.dataOffset ?? 0;
    let position = 0;
    for (const { offset, length } of fragments) {
      yield* zeros(offset - position);
      yield* this.#range(fact, at, length, opts);
      at += length;
      position = offset + length;
    }
    yield* zeros(entry.size - position);
  }

  async *#range(fact: LayerFact, start: number, length: number, opts: Cancel): AsyncGenerator<Buffer, void, undefined> {
    if (isPlainLayer(fact.blob.mediaType)) {
      yield* readChunks(this.#store.blobs.path(fact.blob.digest), { ...opts, start, length });
      return;
    }
    let position = 0;
    for await (const chunk of this.#unpacked(fact, opts)) {
      const from = Math.max(0, start - position);
      const to = Math.min(chunk.length, start + length - position);
      if (to > from) yield chunk.subarray(from, to);
      position += chunk.length;
      if (position >= start + length) return;
    }
  }

  /** The table that was kept for the diffID: only if the blob is known to unpack to that, whatever its image says. */
  async #load(fact: LayerFact): Promise<Toc | undefined> {
    const table = await this.knownTable(fact);
    try {
      return table && parseToc(table);
    } catch (error) {
      if (error instanceof BuildError && error.code === 'STORE_INVALID') return undefined; // of another version: made anew
      throw error;
    }
  }

  async #isKnown({ diffId, blob }: LayerFact): Promise<boolean> {
    if (isPlainLayer(blob.mediaType)) return blob.digest === (diffId as string);
    const known = (await this.#store.records.fact(unpackedFact({ blob }))) as { readonly diffId?: DiffId } | undefined;
    return known?.diffId === diffId;
  }
}

/** Who hashes every file as well does not hash the layer. */
const HASHING: Readonly<Record<Digests, Hashing>> = { all: 'thread', none: 'reader' };

/** Undefined where the reader hashes. */
function diffIdOf(tar: BlobTar, digests: Digests): (() => DiffId) | undefined {
  return HASHING[digests] === 'thread' ? () => tar.diffId : undefined;
}

/** Name under which is remembered what a compressed blob unpacks to. */
function unpackedFact({ blob }: Pick<LayerFact, 'blob'>): string {
  return `unpacked-${hexOf(blob.digest)}`;
}

/** A plain blob is its own tar. */
function plainDiffId({ blob }: LayerFact): DiffId {
  return blob.digest as string as DiffId;
}

function foreign({ diffId, blob }: LayerFact, found: string): BuildError {
  return new BuildError('IMAGE_INVALID', `layer \`${blob.digest}\` unpacks to \`${found}\`, not to \`${diffId}\``, {
    hint: 'the config of the base image does not belong to its layers; get the image again',
  });
}

/** The same bytes, written to a file as they pass. */
async function* copiedTo(tar: AsyncIterable<Buffer>, file: FileHandle): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of tar) {
    for (let done = 0; done < chunk.length;) done += (await file.write(chunk, done)).bytesWritten;
    yield chunk;
  }
}

function* zeros(count: number): Generator<Buffer, void, undefined> {
  for (let left = count; left > 0; left -= MAX_SPARSE_GAP) yield Buffer.alloc(Math.min(left, MAX_SPARSE_GAP));
}
