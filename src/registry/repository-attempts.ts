import type { Cancel } from '../base/abort.js';
import { pause, retryDelay, type Timing } from './retry.js';

/**
 * Counts the failures in a row of one transfer, and waits between them. The transport sends a request again by itself;
 * this is for what broke off in the middle.
 */
export class Attempts {
  readonly #timing: Timing;
  #failures = 0;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** Failures since the last progress. */
  get failures(): number {
    return this.#failures;
  }

  progressed(): void {
    this.#failures = 0;
  }

  /** Waits until the next try, as long as `retryAfter` (a header) asks for; throws `error` when it was the last one. */
  async failed(error: unknown, cancel: Cancel, retryAfter?: string): Promise<void> {
    cancel.signal.throwIfAborted();
    this.#failures++;
    const delay = retryDelay(this.#failures, retryAfter, this.#timing);
    if (delay === undefined) throw error;
    await pause(delay, cancel);
  }
}
