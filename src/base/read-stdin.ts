import { addAbortSignal } from 'node:stream';
import type { Cancel } from './abort.js';

/**
 * What comes on stdin, from when it is first asked for. Ends with an error when the signal aborts, also while nothing
 * comes. Nothing is done to stdin before, so whoever never reads it is not ended by it.
 */
export async function* readStdin({ signal }: Cancel): AsyncGenerator<Buffer, void, undefined> {
  signal.throwIfAborted();
  const stdin = process.stdin.once('error', () => undefined); // the reader gets it; without a listener it ends the process
  yield* addAbortSignal(signal, stdin) as AsyncIterable<Buffer>;
}
