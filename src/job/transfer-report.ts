import type { JobContext } from './context.js';

const EVERY_MS = 500;

/** Tells of bytes that come in or go out, a few times a second at most. */
export class TransferReport {
  readonly #item: string;
  readonly #job: JobContext;
  #told: number | undefined;
  #current = 0;
  #total: number | undefined;

  constructor(item: string, job: JobContext) {
    this.#item = item;
    this.#job = job;
  }

  readonly update = (current: number, total: number | undefined): void => {
    this.#current = current;
    this.#total = total;
    const at = this.#job.now();
    if (this.#told !== undefined && at - this.#told < EVERY_MS) return;
    this.#told = at;
    this.#emit(false);
  };

  /** Nothing is told when nothing came. */
  end(): void {
    if (this.#told !== undefined) this.#emit(true);
  }

  #emit(done: boolean): void {
    const [item, current, total] = [this.#item, this.#current, this.#total];
    this.#job.emit({
      type: 'transfer',
      item,
      current,
      ...(total !== undefined && { total }),
      done,
      at: this.#job.now(),
    });
  }
}
