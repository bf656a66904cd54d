/**
 * Work shared by key: while a run for a key is under way, further callers wait for the same run. A waiter whose own
 * signal aborts gets that signal's reason: at once while others still wait; the last one only when the work, which is
 * aborted with it, has stopped. A run that is finished or aborted is forgotten, so a later call runs anew.
 */
export class OnceMap<K, V> {
  readonly #runs = new Map<K, Run<V>>();

  async run(key: K, signal: AbortSignal, work: (signal: AbortSignal) => Promise<V>): Promise<V> {
    signal.throwIfAborted();
    const run = this.#runs.get(key) ?? this.#start(key, work);
    run.waiters++;
    return await new Promise<V>((resolve, reject) => {
      const leave = (): void => {
        if (--run.waiters > 0) return reject(signal.reason);
        this.#forget(key, run);
        run.stop.abort(signal.reason);
        const stopped = (): void => reject(signal.reason);
        run.promise.then(stopped, stopped);
      };
      signal.addEventListener('abort', leave, { once: true });
      const settled = (): boolean => {
        signal.removeEventListener('abort', leave);
        return !signal.aborted;
      };
      run.promise.then(
        (value) => settled() && resolve(value),
        (error: unknown) => settled() && reject(error),
      );
    });
  }

  #start(key: K, work: (signal: AbortSignal) => Promise<V>): Run<V> {
    const stop = new AbortController();
    const run: Run<V> = { stop, promise: work(stop.signal).finally(() => this.#forget(key, run)), waiters: 0 };
    run.promise.catch(() => undefined); // every waiter gets it; with no waiter left nobody needs it
    this.#runs.set(key, run);
    return run;
  }

  #forget(key: K, run: Run<V>): void {
    if (this.#runs.get(key) === run) this.#runs.delete(key);
  }
}

interface Run<V> {
  readonly stop: AbortController;
  readonly promise: Promise<V>;
  waiters: number;
}
