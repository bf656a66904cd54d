import { statfsSync } from 'node:fs';
import { BuildError } from '../base/errors.js';
import { explainSystemError } from '../base/system-errors.js';
import { formatSize } from '../report/format.js';
import { tryLock, withLock } from '../store/lock.js';
import { collectGarbage, freeBytes, viewStore, type Collected } from '../store/gc/collect.js';
import { selectUnits, type PruneSpec, type SpaceBounds } from '../store/gc/select.js';
import type { Store } from '../store/store.js';
import type { JobContext } from '../job/context.js';
import type { Machines } from '../worker/machines.js';
import { loadGcRules } from './gc-rules.js';
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
    return await withLock(store.paths.pruneLock, job.signal, () => collect(store, spec, job));
  });
}

/**
 * The same by the rules of `config.toml`, after a build that has made something. Nothing happens without rules, or while
 * another process is at it. A failure is told and no more: the build is done.
 */
export async function pruneByRules(store: Store, job: JobContext): Promise<void> {
  const tell = (level: 'info' | 'warning', text: string): void =>
    job.emit({ type: 'notice', level, text, at: job.now() });
  try {
    const rules = await loadGcRules(process.env);
    if (!rules) return;
    const { blocks, bsize } = statfsSync(store.paths.root);
    const reclaimed = await applyRules(store, rules({ diskBytes: blocks * bsize, now: job.now() }), job);
    if (reclaimed > 0) tell('info', `removed ${formatSize(reclaimed)} of cache, as the configuration asks for`);
  } catch (error) {
    job.signal.throwIfAborted();
    const explained = explainSystemError(error, 'removing cache from the store');
    if (!(explained instanceof BuildError)) throw error;
    tell('warning', `the cache could not be kept small: ${explained.message}`);
  }
}

/** Looks through the store once, and removes only where a rule chooses something. Gives the bytes that were freed. */
async function applyRules(store: Store, specs: readonly PruneSpec[], job: JobContext): Promise<number> {
  const lock = tryLock(store.paths.pruneLock);
  if (!lock) return 0;
  try {
    let reclaimed = 0;
    let { units } = await viewStore(store);
    for (const spec of specs) {
      if (selectUnits(units, spec, freeBytes(store.paths.root)).size === 0) continue;
      reclaimed += (await collect(store, spec, job)).reclaimed;
      ({ units } = await viewStore(store));
    }
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
