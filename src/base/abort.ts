import { setMaxListeners } from 'node:events';

/** What every function that waits takes. Required, without a default: a default never aborts. */
export interface Cancel {
  readonly signal: AbortSignal;
}

/**
 * A signal of one's own that also aborts with `parent`. Any number of waiters may listen to it: Node.js warns of a leak
 * at ten, and a build has many more at work.
 */
export function childSignal(parent: AbortSignal): { readonly signal: AbortSignal; abort(reason: unknown): void } {
  const stop = new AbortController();
  const signal = AbortSignal.any([parent, stop.signal]);
  setMaxListeners(0, signal);
  return { signal, abort: (reason) => stop.abort(reason) };
}

/** Like Promise.all, but the first failure aborts the siblings and is thrown only after all of them have stopped. */
export async function allOrAbort<T>(
  parent: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<T>)[],
): Promise<T[]> {
  const { signal, abort } = childSignal(parent);
  let failure: { readonly error: unknown } | undefined;
  const settled = await Promise.allSettled(
    tasks.map(async (task) => {
      try {
        return await task(signal);
      } catch (error) {
        failure ??= { error };
        abort(error);
        throw error;
      }
    }),
  );
  if (failure) throw failure.error;
  return settled.map((one) => (one as PromiseFulfilledResult<T>).value);
}
