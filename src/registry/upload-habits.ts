import type { UploadFaultKind } from './upload-session.js';

/** How the bytes of a blob go out. */
export type UploadMode =
  /** In the request that ends the upload. */
  | { readonly kind: 'put' }
  /** In one request, which can be taken up again; a second one ends the upload. */
  | { readonly kind: 'patch' }
  /** In requests of so many bytes. */
  | { readonly kind: 'chunks'; readonly bytes: number };

export interface UploadSizes {
  /** A blob of no more bytes goes out in one request. */
  readonly smallBytes: number;
  readonly chunkBytes: number;
  /** A request of no more bytes is not refused for its size. */
  readonly fewestBytes: number;
}

export const defaultSizes: UploadSizes = {
  smallBytes: 1024 * 1024,
  chunkBytes: 16 * 1024 * 1024,
  fewestBytes: 256 * 1024,
};

/** What one registry was found to take; learnt from one blob, and kept for the next ones. */
export class UploadHabits {
  readonly #sizes: UploadSizes;
  /** Bytes of the largest request that may go through. */
  #largest = Infinity;
  readonly #refused = new Set<UploadMode['kind']>();

  constructor(sizes: UploadSizes) {
    this.#sizes = sizes;
  }

  /** For a blob of `size` bytes, of which the registry has `at` already and asks for chunks of at least `minChunk`. */
  mode(size: number, minChunk: number | undefined, at: number): UploadMode {
    const { smallBytes, chunkBytes } = this.#sizes;
    const chunks: UploadMode = { kind: 'chunks', bytes: Math.max(Math.min(chunkBytes, this.#largest), minChunk ?? 1) };
    const order: readonly UploadMode[] =
      size > this.#largest || (minChunk !== undefined && size > smallBytes)
        ? [chunks, { kind: 'patch' }, { kind: 'put' }]
        : size <= smallBytes
          ? [{ kind: 'put' }, { kind: 'patch' }, chunks]
          : [{ kind: 'patch' }, chunks, { kind: 'put' }];
    return order.find(({ kind }) => !this.#refused.has(kind) && (at === 0 || kind !== 'put')) ?? chunks;
  }

  /** A request of `length` bytes was refused, or is too large. Says whether there is another way to try. */
  refuse(mode: UploadMode, why: UploadFaultKind, length: number, minChunk: number | undefined): boolean {
    if (why !== 'too-large') {
      this.#refused.add(mode.kind);
      return this.#refused.size < 3;
    }
    const fewest = Math.max(this.#sizes.fewestBytes, minChunk ?? 0);
    if (length <= fewest || (mode.kind !== 'chunks' && this.#refused.has('chunks'))) return false;
    this.#largest = Math.max(fewest, mode.kind === 'chunks' ? Math.floor(length / 2) : length - 1);
    return true;
  }

  /** A request of `length` bytes was cut off without a word, more than once. */
  doubt(length: number): void {
    const { fewestBytes } = this.#sizes;
    if (length > fewestBytes) this.#largest = Math.min(this.#largest, Math.max(fewestBytes, Math.floor(length / 2)));
  }
}
