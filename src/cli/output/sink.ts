import type { BuildEvent } from '../../job/events.js';
import { plainSink } from './plain.js';
import { ttySink } from './tty.js';

/** Draws the events of a job. Never changes one. */
export interface Sink {
  event(event: BuildEvent): void;
  /** Called once, when the job is over, before anything else is printed. */
  close(): void;
}

export type ProgressMode = 'auto' | 'tty' | 'plain' | 'quiet';

/** `auto` draws where stderr is a terminal, and writes lines where it is not. */
export function openSink(mode: ProgressMode): Sink {
  if (mode === 'quiet') return { event: () => undefined, close: () => undefined };
  if (mode === 'tty' || (mode === 'auto' && process.stderr.isTTY)) return ttySink(process.stderr);
  return plainSink((text) => process.stderr.write(text));
}
