import { hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { hasCode } from '../base/errors.js';
import type { KnownPieces } from '../layer/parallel-gzip.js';
import type { PieceRow, PlacedPiece } from './known-pieces.js';

/** A table of more would take longer to read than it saves. */
const MOST_PIECES = 20_000;

/**
 * Pieces of gzip streams that lie in files of the store. Every one is checked when it is read, so a damaged or missing one
 * is as good as unknown. Closed by its disposal.
 */
export class KeptPieces implements KnownPieces, AsyncDisposable {
  /** What was kept of the stream that is being made. */
  readonly rows: PieceRow[] = [];
  readonly #places: ReadonlyMap<string, PlacedPiece>;
  readonly #files = new Map<string, Promise<FileHandle | undefined>>();

  /** Of two with the same key the last one counts. */
  constructor(pieces: readonly PlacedPiece[]) {
    this.#places = new Map(pieces.map((piece) => [piece.key, piece]));
  }

  async find(key: string): Promise<Buffer | undefined> {
    const place = this.#places.get(key);
    const file = place && (await this.#file(place.file));
    if (!file) return undefined;
    const bytes = Buffer.allocUnsafe(place.length);
    const { bytesRead } = await file.read(bytes, 0, place.length, place.start);
    return bytesRead === place.length && hash('sha256', bytes, 'base64') === place.sum ? bytes : undefined;
  }

  keep(key: string, piece: Buffer, start: number): void {
    if (this.rows.length < MOST_PIECES) this.rows.push([key, start, piece.length, hash('sha256', piece, 'base64')]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of await Promise.allSettled(this.#files.values())) {
      if (file.status === 'fulfilled') await file.value?.close();
    }
  }

  #file(name: string): Promise<FileHandle | undefined> {
    let file = this.#files.get(name);
    if (!file) {
      file = open(name, 'r').catch((error: unknown) => {
        if (hasCode(error, 'ENOENT')) return undefined; // pruned since
        throw error;
      });
      this.#files.set(name, file);
    }
    return file;
  }
}
