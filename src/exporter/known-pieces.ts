import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { versions } from 'node:process';
import { hasCode } from '../base/errors.js';
import { MOST } from '../layer/gzip-blocks.js';
import type { KnownPieces } from '../layer/parallel-gzip.js';
import { hexOf, isDigest, type Digest } from '../oci/digest.js';
import type { Store } from '../store/store.js';

/** Layers whose pieces are known at a time: those that were compressed last. */
const LAYERS = 8;
/** A table of more would take longer to read than it saves. */
const MOST_PIECES = 20_000;

/** A piece in the compressed blob of some layer, with sha256 of its bytes in base64. */
interface Place {
  readonly blob: Digest;
  readonly start: number;
  readonly length: number;
  readonly sum: string;
}

type Row = readonly [key: string, start: number, length: number, sum: string];

interface Table {
  readonly zlib: string;
  readonly rows: readonly Row[];
}

/**
 * The pieces of gzip streams that stand in the store: what a new layer has in common with the last ones is not deflated
 * again. Every piece is checked when it is read, so a damaged or missing one is as good as unknown. Closed by its disposal.
 */
export class StoredPieces implements KnownPieces, AsyncDisposable {
  readonly #store: Store;
  readonly #level: number;
  readonly #places: ReadonlyMap<string, Place>;
  readonly #files = new Map<Digest, Promise<FileHandle | undefined>>();
  readonly #rows: Row[] = [];

  private constructor(store: Store, level: number, places: ReadonlyMap<string, Place>) {
    this.#store = store;
    this.#level = level;
    this.#places = places;
  }

  static async open(store: Store, level: number): Promise<StoredPieces> {
    const layers = digestsIn(await store.records.fact(listFact(level)));
    const places = new Map<string, Place>();
    for (const blob of layers.toReversed()) {
      for (const [key, start, length, sum] of rowsIn(await store.records.fact(tableFact(level, blob)))) {
        places.set(key, { blob, start, length, sum });
      }
    }
    return new StoredPieces(store, level, places);
  }

  async find(key: string): Promise<Buffer | undefined> {
    const place = this.#places.get(key);
    const file = place && (await this.#file(place.blob));
    if (!file) return undefined;
    const bytes = Buffer.allocUnsafe(place.length);
    const { bytesRead } = await file.read(bytes, 0, place.length, place.start);
    return bytesRead === place.length && sumOf(bytes) === place.sum ? bytes : undefined;
  }

  keep(key: string, piece: Buffer, start: number): void {
    if (this.#rows.length < MOST_PIECES) this.#rows.push([key, start, piece.length, sumOf(piece)]);
  }

  /** Remembers what was kept as the pieces of this blob, which stands in the store. */
  async save(blob: Digest): Promise<void> {
    if (this.#rows.length === 0) return;
    const { records } = this.#store;
    await records.saveFact(tableFact(this.#level, blob), { zlib: versions.zlib, rows: this.#rows } satisfies Table);
    const others = digestsIn(await records.fact(listFact(this.#level))).filter((one) => one !== blob);
    const layers = [blob, ...others];
    await records.saveFact(listFact(this.#level), { layers: layers.slice(0, LAYERS) });
    for (const gone of layers.slice(LAYERS)) await records.forgetFact(tableFact(this.#level, gone));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of await Promise.allSettled(this.#files.values())) {
      if (file.status === 'fulfilled') await file.value?.close();
    }
  }

  #file(blob: Digest): Promise<FileHandle | undefined> {
    let file = this.#files.get(blob);
    if (!file) {
      file = open(this.#store.blobs.path(blob), 'r').catch((error: unknown) => {
        if (hasCode(error, 'ENOENT')) return undefined; // pruned since
        throw error;
      });
      this.#files.set(blob, file);
    }
    return file;
  }
}

function sumOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64');
}

function listFact(level: number): string {
  return `recent-gzip-${level}`;
}

/** Goes with its blob. */
function tableFact(level: number, blob: Digest): string {
  return `pieces-${level}-${hexOf(blob)}`;
}

function digestsIn(fact: unknown): readonly Digest[] {
  const layers = (fact as { readonly layers?: unknown } | null | undefined)?.layers;
  return Array.isArray(layers) ? layers.filter((one): one is Digest => typeof one === 'string' && isDigest(one)) : [];
}

/** Those of another zlib could be other bytes for the same block, which nothing may depend on. */
function rowsIn(fact: unknown): readonly Row[] {
  const table = fact as Partial<Table> | null | undefined;
  if (table?.zlib !== versions.zlib || !Array.isArray(table.rows)) return [];
  return (table.rows as readonly unknown[]).filter(isRow);
}

function isRow(row: unknown): row is Row {
  if (!Array.isArray(row) || row.length !== 4) return false;
  const [key, start, length, sum] = row as readonly unknown[];
  const isPlace = Number.isSafeInteger(start) && Number.isSafeInteger(length);
  return (
    typeof key === 'string' && typeof sum === 'string' && isPlace && Number(length) >= 0 && Number(length) <= 2 * MOST
  );
}
