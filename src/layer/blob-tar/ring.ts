/** Bytes of one slot, and how many there are: what the reader may be behind. */
export const SLOT_BYTES = 512 * 1024;
const SLOTS = 4;

/** Indexes of the numbers that both threads see. */
const [CHANGES, RELEASED, STOPPED] = [0, 1, 2];

export interface RingMemory {
  readonly bytes: SharedArrayBuffer;
  readonly numbers: SharedArrayBuffer;
}

export class Stopped extends Error {}

/** Buffers that one thread fills and another reads, in turn, with nothing copied or allocated between them. */
export class Ring {
  readonly memory: RingMemory;
  readonly #slots: readonly Buffer[];
  readonly #numbers: Int32Array;
  #filled = 0;

  constructor(memory?: RingMemory) {
    this.memory = memory ?? { bytes: new SharedArrayBuffer(SLOTS * SLOT_BYTES), numbers: new SharedArrayBuffer(12) };
    this.#slots = Array.from({ length: SLOTS }, (_, i) => Buffer.from(this.memory.bytes, i * SLOT_BYTES, SLOT_BYTES));
    this.#numbers = new Int32Array(this.memory.numbers);
  }

  /** The slot that was filled as number `count`. */
  slot(count: number): Buffer {
    return this.#slots[count % SLOTS]!;
  }

  /** The reader is done with the oldest slot. */
  release(): void {
    this.#change(RELEASED!, 1);
  }

  /** The reader wants nothing more. */
  stop(): void {
    this.#change(STOPPED!, 1);
  }

  /** Of the filling thread: the next slot, once it is free. Throws `Stopped`. */
  next(): Buffer {
    for (;;) {
      const seen = this.#seen();
      if (this.#filled - Atomics.load(this.#numbers, RELEASED!) < SLOTS) return this.slot(this.#filled);
      Atomics.wait(this.#numbers, CHANGES!, seen);
    }
  }

  /** Of the filling thread: counts the slot that `next` gave as filled. */
  filled(): number {
    return this.#filled++;
  }

  /** Of the filling thread: waits so many milliseconds. Throws `Stopped`. */
  pause(ms: number): void {
    Atomics.wait(this.#numbers, CHANGES!, this.#seen(), ms);
    this.#seen();
  }

  #seen(): number {
    const seen = Atomics.load(this.#numbers, CHANGES!);
    if (Atomics.load(this.#numbers, STOPPED!) !== 0) throw new Stopped();
    return seen;
  }

  #change(index: number, by: number): void {
    Atomics.add(this.#numbers, index, by);
    Atomics.add(this.#numbers, CHANGES!, 1);
    Atomics.notify(this.#numbers, CHANGES!);
  }
}
