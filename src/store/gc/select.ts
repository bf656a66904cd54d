import { depthBy } from './depth.js';
import type { CacheUnit } from './units.js';

/** How much may stay. Bytes; as BuildKit's options of these names. */
export interface SpaceBounds {
  /** What is removed goes no further than this. */
  readonly reservedSpace?: number;
  /** The most that all may take. */
  readonly maxUsedSpace?: number;
  /** Of the file system: what must be free. */
  readonly minFreeSpace?: number;
}

export interface PruneSpec extends SpaceBounds {
  /** Also what stands behind images. */
  readonly all: boolean;
  /** Milliseconds since 1970: what was used since stays. */
  readonly unusedSince?: number;
  /** Which units may go; default: all. */
  readonly matches?: (unit: CacheUnit) => boolean;
}

/**
 * Chooses what goes, the least recently used first. What a job uses stays, and so does everything that something which stays
 * stands on. `freeBytes`: of the file system, now.
 */
export function selectUnits(units: readonly CacheUnit[], spec: PruneSpec, freeBytes: number): ReadonlySet<CacheUnit> {
  let total = units.reduce((sum, unit) => sum + unit.size, 0);
  const keep = bytesToKeep(total, freeBytes, spec);
  const users = new Map<string, number>();
  for (const { parents } of units) for (const id of parents) users.set(id, (users.get(id) ?? 0) + 1);
  const byId = new Map(units.map((unit) => [unit.id, unit]));
  const depths = depthBy((id) => byId.get(id)?.parents ?? []);
  const used = lastUses(units, depths);
  const mayGo = (unit: CacheUnit): boolean =>
    !unit.inUse &&
    (spec.all || !unit.shared) &&
    (spec.unusedSince === undefined || used(unit) < spec.unusedSince) &&
    (spec.matches?.(unit) ?? true);
  const order = units.filter(mayGo).toSorted((a, b) => used(a) - used(b) || depths(b.id) - depths(a.id));
  const gone = new Set<CacheUnit>();
  for (const unit of order) {
    if (keep !== undefined && total <= keep) break;
    if ((users.get(unit.id) ?? 0) > 0) continue; // something stays that stands on it: what does was used no earlier
    gone.add(unit);
    total -= unit.size;
    for (const id of unit.parents) users.set(id, users.get(id)! - 1);
  }
  return gone;
}

/** As BuildKit's `calculateKeepBytes`: down to what is reserved, if nothing else is said; undefined without a bound. */
function bytesToKeep(total: number, free: number, bounds: SpaceBounds): number | undefined {
  const { reservedSpace = 0, maxUsedSpace = 0, minFreeSpace = 0 } = bounds;
  if (reservedSpace === 0 && maxUsedSpace === 0 && minFreeSpace === 0) return undefined;
  const most = maxUsedSpace > 0 ? maxUsedSpace : minFreeSpace > 0 ? total : 0;
  const excess = Math.max(0, minFreeSpace - free);
  return Math.max(Math.min(most, total - excess), reservedSpace);
}

/** What something stands on was used when that was. */
function lastUses(units: readonly CacheUnit[], depthOf: (id: string) => number): (unit: CacheUnit) => number {
  const used = new Map(units.map(({ id, lastUsedAt }) => [id, lastUsedAt]));
  for (const { id, parents } of units.toSorted((a, b) => depthOf(b.id) - depthOf(a.id))) {
    for (const parent of parents) used.set(parent, Math.max(used.get(parent) ?? 0, used.get(id)!));
  }
  return ({ id }) => used.get(id)!;
}
