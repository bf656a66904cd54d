import type { Emit } from '../../job/events.js';
import { isTold, openSink, progressMode } from './sink.js';

export interface ProgressFlags {
  readonly progress?: string;
  readonly quiet?: boolean;
}

/** Runs `work` while its events are drawn as the flags ask. Gives what it gave, and whether a person is told how it went. */
export async function withProgress<T>(
  flags: ProgressFlags,
  work: (emit: Emit) => Promise<T>,
): Promise<{ readonly result: T; readonly told: boolean }> {
  const mode = progressMode(flags, process.env);
  const sink = openSink(mode);
  try {
    return { result: await work((event) => sink.event(event)), told: isTold(mode) };
  } finally {
    sink.close();
  }
}
