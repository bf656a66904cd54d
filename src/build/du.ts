import { viewStore } from '../store/gc/collect.js';
import type { CacheUnit } from '../store/gc/units.js';
import { withJob, type JobOptions } from './open-job.js';
import { parseCacheFilters } from './prune-filters.js';

export interface DiskUsageOptions extends JobOptions {
  /** As `--filter`. */
  readonly filters?: readonly string[];
}

/** What is in the store beside its images, the last used first. Throws USAGE for filters that there are not. */
export async function cacheUsage(options: DiskUsageOptions): Promise<readonly CacheUnit[]> {
  const { until, matches = () => true } = parseCacheFilters(options.filters ?? []);
  return await withJob({ ...options, access: 'read' }, 'looking through the store', async ({ store, job }) => {
    const since = until === undefined ? Infinity : job.now() - until;
    const { units } = await viewStore(store);
    return units
      .filter((unit) => unit.lastUsedAt < since && matches(unit))
      .toSorted((a, b) => b.lastUsedAt - a.lastUsedAt);
  });
}
