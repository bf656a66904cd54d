/** Thrown through everything that waits when the user interrupts. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(readonly by: NodeJS.Signals) {
    super('canceled');
  }
}

let interrupted = false;

/** Whether the user has interrupted. */
export function wasInterrupted(): boolean {
  return interrupted;
}

/**
 * A signal that aborts on the first Ctrl-C (or SIGTERM, SIGHUP): the command then winds up and ends. On the second one
 * the process ends at once; nothing is left behind even so, since the worker dies with it.
 */
export function interruptible(): AbortSignal {
  const stop = new AbortController();
  const on = (by: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(130);
    interrupted = true;
    stop.abort(new Interrupted(by));
  };
  for (const by of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(by, on);
  return stop.signal;
}
