import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancel } from '../base/abort.js';

/** Bounds in time, in milliseconds; tests make them short. */
export interface Timing {
  /** How often something is sent at most. */
  readonly tries: number;
  /** Before the second try; doubled before each further one, up to `maxDelayMs`. */
  readonly delayMs: number;
  readonly maxDelayMs: number;
  /** The longest that a registry's `Retry-After` is heeded; it is not asked again when it wants more. */
  readonly maxRetryAfterMs: number;
  readonly connectMs: number;
  /** To the headers of the answer to what only reads. A mirror that says nothing is waited for as often as it is tried. */
  readonly answerMs: number;
  /** From the last byte of what writes to the headers of the answer: a registry may first move a whole blob. */
  readonly headersMs: number;
  /** Without a byte of the answer's body. */
  readonly bodyMs: number;
  /** For a whole answer of a token service. */
  readonly tokenMs: number;
}

export const defaultTiming: Timing = {
  tries: 5,
  delayMs: 400,
  maxDelayMs: 10_000,
  maxRetryAfterMs: 60_000,
  connectMs: 30_000,
  answerMs: 60_000,
  headersMs: 300_000,
  bodyMs: 60_000,
  tokenMs: 60_000,
};

/**
 * Milliseconds to wait after the try `attempt`: exponentially longer with jitter, and as long as the registry asks.
 * Undefined when there is to be no further try.
 */
export function retryDelay(attempt: number, retryAfter: string | undefined, timing: Timing): number | undefined {
  const asked = retryAfterMs(retryAfter, Date.now());
  if (attempt >= timing.tries || asked > timing.maxRetryAfterMs) return undefined;
  const backoff = Math.min(timing.delayMs * 2 ** (attempt - 1), timing.maxDelayMs);
  return Math.max(asked, backoff * (0.5 + Math.random() / 2));
}

/** Waits; throws the reason of an abort. */
export async function pause(milliseconds: number, { signal }: Cancel): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** Milliseconds that a `Retry-After` asks for, as seconds or as a date; 0 for none and for what cannot be read. */
export function retryAfterMs(value: string | undefined, now: number): number {
  if (value === undefined) return 0;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = /^[A-Z][a-z]{2}/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}
