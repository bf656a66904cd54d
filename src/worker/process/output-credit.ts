/** Bytes of output that may be under way from the worker to a listener that has not taken them. */
const LIMIT = 4 * 1024 * 1024;
/** The main process tells of that many bytes at a time. */
const STEP = 256 * 1024;

/** The worker's side of one call: how much output its listener in the main process still has before it. */
export class OutputCredit {
  #outstanding = 0;
  #wake: (() => void)[] = [];

  /** For output that was sent; waits if that was too much at once, until some of it was taken. */
  sent(bytes: number): Promise<void> | undefined {
    this.#outstanding += bytes;
    if (this.#outstanding <= LIMIT) return undefined;
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  taken(bytes: number): void {
    this.#outstanding -= bytes;
    if (this.#outstanding > LIMIT / 2) return;
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** The main process's side: adds up what the listener has taken, and tells of it before the credit can run out. */
export class OutputReceipts {
  readonly #tell: (bytes: number) => void;
  #untold = 0;

  constructor(tell: (bytes: number) => void) {
    this.#tell = tell;
  }

  taken(bytes: number): void {
    this.#untold += bytes;
    if (this.#untold < STEP) return;
    this.#tell(this.#untold);
    this.#untold = 0;
  }
}
