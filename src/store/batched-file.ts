import type { FileHandle } from 'node:fs/promises';

const BATCH_BYTES = 512 * 1024;

/**
 * Writes what comes in small pieces, as from a network, in large ones: each write goes through a thread, and costs more than
 * copying the bytes. Whoever gives a piece may use its memory again.
 */
export class BatchedFile {
  readonly #handle: FileHandle;
  #batch: Buffer | undefined;
  #filled = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(piece: Uint8Array): Promise<void> {
    if (this.#filled + piece.byteLength > BATCH_BYTES) await this.flush();
    if (piece.byteLength > BATCH_BYTES) return await this.#writeAll(piece);
    this.#batch ??= Buffer.allocUnsafeSlow(BATCH_BYTES);
    this.#batch.set(piece, this.#filled);
    this.#filled += piece.byteLength;
  }

  async flush(): Promise<void> {
    const filled = this.#filled;
    this.#filled = 0;
    if (filled > 0) await this.#writeAll(this.#batch!.subarray(0, filled));
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) {
      at += (await this.#handle.write(bytes, at, bytes.byteLength - at)).bytesWritten;
    }
  }
}
