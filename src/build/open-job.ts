import { explainSystemError } from '../base/system-errors.js';
import type { JobContext } from '../job/context.js';
import type { BuildEvent } from '../job/events.js';
import { Store, storeRoot, type OpenStore } from '../store/store.js';

/** What every call of the public API takes that moves images. */
export interface JobOptions {
  readonly signal: AbortSignal;
  /** Directory of the store; default as `storeRoot`. */
  readonly root?: string;
  readonly emit?: (event: BuildEvent) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface OpenJob extends OpenStore {
  readonly job: JobContext;
}

/**
 * Runs `work` on the store, and gives everything back however it ends. With `access: 'read'` also on a store that cannot be
 * written. Throws the signal's reason when it is aborted.
 */
export async function withJob<T>(
  options: JobOptions & { readonly access?: 'read' | 'write' },
  doing: string,
  work: (open: OpenJob) => Promise<T>,
): Promise<T> {
  const { signal, emit = () => undefined, now = Date.now } = options;
  signal.throwIfAborted();
  const open = options.access === 'read' ? Store.openToRead : Store.open;
  const opened = await open(storeRoot(options.root, process.env), options);
  try {
    return await work({ ...opened, job: { signal, emit, now, session: { contexts: new Map() } } });
  } catch (error) {
    signal.throwIfAborted();
    throw explainSystemError(error, doing);
  } finally {
    await opened.lease.release();
  }
}
