import { appendFileSync } from 'node:fs';
import { hasCode } from '../../base/errors.js';

/** What is appended at once. */
const BUFFER = 1024 * 1024;
/** A larger file is read again as fast as it would be copied. */
const LARGEST_FILE = 128 * 1024;
/** Bytes of all: a disk that has room for the layer has mostly room for this, but not for any amount. */
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
  #isLost = false;

  /** `file`: a path that is free, in a folder that is there. */
  constructor(file: string) {
    this.file = file;
  }

  /** Where the bytes will lie; undefined when they are not kept. */
  add(bytes: Buffer): number | undefined {
    if (bytes.length > LARGEST_FILE || this.#written > MOST) return undefined;
    if (this.#filled + bytes.length > BUFFER) this.flush();
    if (this.#isLost) return undefined;
    bytes.copy(this.#buffer, this.#filled);
    const at = this.#written + this.#filled;
    this.#filled += bytes.length;
    return at;
  }

  /** Writes what was added. False when there was no room for it on the disk: then nothing is to be read from here. */
  flush(): boolean {
    if (this.#isLost || this.#filled === 0) return !this.#isLost;
    try {
      appendFileSync(this.file, this.#buffer.subarray(0, this.#filled), { mode: 0o600 });
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
      this.#isLost = true;
      return false;
    }
    this.#written += this.#filled;
    this.#filled = 0;
    return true;
  }
}
