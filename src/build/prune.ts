import { BuildError } from '../base/errors.js';
import { tryLock, withLock } from '../store/lock.js';
import { collectGarbage, type Collected } from '../store/gc/collect.js';
import type { PruneSpec, SpaceBounds } from '../store/gc/select.js';
import type { Store } from '../store/store.js';
import type { JobContext } from '../job/context.js';
import type { Machines } from '../worker/machines.js';
import { openMachines } from './open-machines.js';
import { withJob, type JobOptions } from './open-job.js';
import { parseCacheFilters } from './prune-filters.js';

export interface PruneOptions extends JobOptions, SpaceBounds {
  /** Also the cache that images of the store were made of. */
  readonly all?: boolean;
  /** As `--filter`. */
  readonly filters?: readonly string[];
}

/**
 * Removes cache that no image of the store and no running job needs, images that have lost their name, and what jobs that
 * were killed have left. Images with a name always stay, and are whole. One at a time works on a store, any number of builds
 * beside it. Throws USAGE for filters that there are not.
 */
export async function pruneStore(options: PruneOptions): Promise<Collected> {
  const { until, matches } = parseCacheFilters(options.filters ?? []);
  const { all = false, reservedSpace, maxUsedSpace, minFreeSpace } = options;
  return await withJob(options, 'removing cache from the store', async ({ store, job }) => {
    const spec: PruneSpec = {
      all,
      ...(until !== undefined && { unusedSince: job.now() - until }),
      ...(matches && { matches }),
      ...(reservedSpace !== undefined && { reservedSpace }),
      ...(maxUsedSpace !== undefined && { maxUsedSpace }),
      ...(minFreeSpace !== undefined && { minFreeSpace }),
    };
    return await withLock(store.paths.lock('prune'), job.signal, () => collect(store, spec, job));
  });
}

/** The same by the rules of the configuration, unless another process is at it. Gives the bytes that were freed. */
export async function pruneByRules(store: Store, specs: readonly PruneSpec[], job: JobContext): Promise<number> {
  const lock = tryLock(store.paths.lock('prune'));
  if (!lock) return 0;
  try {
    let reclaimed = 0;
    for (const spec of specs) reclaimed += (await collect(store, spec, job)).reclaimed;
    return reclaimed;
  } finally {
    lock.release();
  }
}

async function collect(store: Store, spec: PruneSpec, job: JobContext): Promise<Collected> {
  const machines = openMachines({ store, job, isolation: undefined, trustHostCa: false });
  try {
    const removeTrees = (dirs: readonly string[]): Promise<void> => removeAll(dirs, machines, job);
    return await collectGarbage(store, spec, { signal: job.signal, removeTrees });
  } finally {
    await machines.stop();
  }
}

/** What belongs to subordinate ids that this machine does not give any more stays, and is told. */
async function removeAll(dirs: readonly string[], machines: Machines, job: JobContext): Promise<void> {
  try {
    await machines.removeTrees(dirs, job);
  } catch (error) {
    if (!(error instanceof BuildError) || error.code !== 'ISOLATION_UNAVAILABLE') throw error;
    const text = `some directories belong to other users and could not be removed: ${error.message}`;
    job.emit({ type: 'notice', level: 'warning', text, at: job.now() });
  }
}
