import { closeSync, readSync } from 'node:fs';
import type { ByteString } from '../base/bytes.js';

/** What is read at once, when less is asked for: the next range mostly lies close behind. */
const AHEAD = 1024 * 1024;

/**
 * Reads ranges of files, most of which follow on each other in one file, with few system calls. Holds one file open.
 * Closed by its disposal.
 */
export class RangeReader {
  readonly #open: (file: ByteString) => number;
  #file: ByteString | undefined;
  #fd = -1;
  #window: Buffer | undefined;
  #start = 0;
  #filled = 0;

  /** `open` gives a descriptor, which is closed here; what it throws is thrown by `read`. */
  constructor(open: (file: ByteString) => number) {
    this.#open = open;
  }

  /** Puts up to `length` bytes from `offset` of `file` into `target`; gives how many, 0 at the end of the file. */
  read(file: ByteString, offset: number, target: Buffer, at: number, length: number): number {
    if (file !== this.#file) this.#turnTo(file);
    if (length >= AHEAD) return readSync(this.#fd, target, at, length, offset);
    if (offset < this.#start || offset >= this.#start + this.#filled) {
      this.#window ??= Buffer.allocUnsafe(AHEAD);
      this.#filled = 0;
      this.#filled = readSync(this.#fd, this.#window, 0, AHEAD, offset);
      this.#start = offset;
    }
    const from = offset - this.#start;
    return this.#window!.copy(target, at, from, Math.min(from + length, this.#filled));
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#file = undefined;
    this.#filled = 0;
  }

  #turnTo(file: ByteString): void {
    this[Symbol.dispose]();
    this.#fd = this.#open(file);
    this.#file = file;
  }
}
