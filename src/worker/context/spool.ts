import { appendFileSync } from 'node:fs';
import { hasCode } from '../../base/errors.js';

/** What is appended at once. */
const BUFFER = 1024 * 1024;
/** A larger file is read again as fast as it would be copied. */
const LARGEST_FILE = 128 * 1024;
/** Bytes of the file: as much room again as a context takes should be there, but not any amount. */
const MOST = 1024 * 1024 * 1024;

/**
 * Small files, one behind the other in one file, kept when they were read to be hashed: who packs them afterwards reads
 * that one instead of opening each of them again, and gets the bytes that were hashed.
 */
export class Spool {
  readonly file: string;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER);
  #filled = 0;
  #written = 0;
  #isFull = false;

  /** `file`: a path that is free, in a folder that is there. */
  constructor(file: string) {
    this.file = file;
  }

  /** Where the bytes will lie; undefined when they are not kept. */
  add(bytes: Buffer): number | undefined {
    if (this.#isFull || bytes.length > LARGEST_FILE) return undefined;
    if (this.#filled + bytes.length > BUFFER && !this.flush()) return undefined;
    bytes.copy(this.#buffer, this.#filled);
    const at = this.#written + this.#filled;
    this.#filled += bytes.length;
    return at;
  }

  /** Writes what was added. False when there is no room for it, so that nothing can be read from here any more. */
  flush(): boolean {
    if (this.#isFull) return false;
    try {
      if (this.#filled > 0) appendFileSync(this.file, this.#buffer.subarray(0, this.#filled), { mode: 0o600 });
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
      this.#isFull = true;
      return false;
    }
    this.#written += this.#filled;
    this.#filled = 0;
    return this.#written <= MOST || this.#stop();
  }

  /** What is there can still be read. */
  #stop(): boolean {
    this.#isFull = true;
    return true;
  }
}
