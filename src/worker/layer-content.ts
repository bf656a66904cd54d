import { createHash } from 'node:crypto';
import type { Cancel } from '../base/abort.js';
import { counted } from '../base/counted.js';
import { BuildError } from '../base/errors.js';
import { decompress } from '../layer/compression.js';
import { buildToc, parseToc, serializeToc, type Toc, type TocEntry } from '../layer/toc.js';
import type { TarSink } from '../layer/tar-reader.js';
import { isPlainLayer } from '../oci/descriptor.js';
import { hexOf, type DiffId } from '../oci/digest.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import { replaceFile } from '../base/atomic-file.js';
import { readFile } from 'node:fs/promises';
import { hasCode } from '../base/errors.js';
import { readChunks } from '../store/blobs.js';

const MAX_SPARSE_GAP = 256 * 1024;

export interface ReadOptions extends Cancel {
  /** Told the bytes of the blob, as it is stored, that were read so far. */
  readonly onProgress?: (current: number) => void;
}

/** The layers of the store, read: tables of contents, which are made once and kept, and contents of single files. */
export class LayerContent {
  readonly #store: Store;
  readonly #tocs = new Map<string, Promise<Toc>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The table of contents of a layer; without one, the layer is read once. Throws IMAGE_INVALID, ARCHIVE_INVALID. */
  toc(fact: LayerFact, opts: Cancel): Promise<Toc> {
    const key = `${fact.diffId} ${fact.blob.digest}`;
    let toc = this.#tocs.get(key);
    if (!toc) {
      toc = this.#load(fact).then((known) => known ?? this.read(fact, undefined, opts));
      this.#tocs.set(key, toc);
      toc.catch(() => this.#tocs.delete(key)); // whoever waits for it gets the error
    }
    return toc;
  }

  /** Reads the whole layer, checked against blob digest and diffId; `also` sees every entry. Keeps the table. */
  async read(fact: LayerFact, also: TarSink | undefined, opts: ReadOptions): Promise<Toc> {
    const toc = await buildToc(this.#unpacked(fact, opts), also);
    if (toc.diffId !== fact.diffId) throw foreign(fact, toc.diffId);
    await this.save(toc);
    if (!isPlainLayer(fact.blob.mediaType)) {
      await this.#store.records.saveFact(unpackedFact(fact), { diffId: fact.diffId });
    }
    return toc;
  }

  async save(toc: Toc): Promise<void> {
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

  /** The uncompressed tar, checked against the blob's digest. */
  #unpacked(fact: LayerFact, opts: ReadOptions): AsyncGenerator<Buffer, void, undefined> {
    const blob = counted(this.#store.blobs.open(fact.blob, opts), opts.onProgress);
    return isPlainLayer(fact.blob.mediaType) ? blob : decompress(blob);
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
    if (!(await this.#isKnown(fact))) return undefined;
    try {
      return parseToc(await readFile(this.#store.paths.toc(fact.diffId)));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
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

/** Name under which is remembered what a compressed blob unpacks to. */
function unpackedFact({ blob }: Pick<LayerFact, 'blob'>): string {
  return `unpacked-${hexOf(blob.digest)}`;
}

function foreign({ diffId, blob }: LayerFact, found: string): BuildError {
  return new BuildError('IMAGE_INVALID', `layer \`${blob.digest}\` unpacks to \`${found}\`, not to \`${diffId}\``, {
    hint: 'the config of the base image does not belong to its layers; get the image again',
  });
}

function* zeros(count: number): Generator<Buffer, void, undefined> {
  for (let left = count; left > 0; left -= MAX_SPARSE_GAP) yield Buffer.alloc(Math.min(left, MAX_SPARSE_GAP));
}
