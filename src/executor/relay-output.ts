import type { Readable } from 'node:stream';
import type { OnOutput } from './types.js';

/**
 * Gives what a stream says to the listener, and reads no further while the listener takes its time; whoever writes then
 * waits as well. After an abort everything is read and thrown away: the stream must come to its end.
 */
export function relayOutput(
  name: 'stdout' | 'stderr',
  stream: Readable,
  onOutput: OnOutput,
  signal: AbortSignal,
): void {
  const drain = (): void => void stream.resume();
  signal.addEventListener('abort', drain, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', drain));
  stream.on('data', (chunk: Buffer) => {
    if (signal.aborted) return;
    const taken = onOutput(name, chunk);
    if (!taken) return;
    stream.pause();
    void taken.finally(drain);
  });
}
