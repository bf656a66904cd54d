import type { CacheUnit } from '../../build/index.js';
import { formatAgo, formatSize, formatTable } from '../../report/format.js';

/** The columns of `docker buildx du`; a star marks what changes while it is used. */
export function cacheTable(units: readonly CacheUnit[], now: number): string {
  const rows = units.map((unit) => [
    `${unit.id}${unit.mutable ? '*' : ''}`,
    String(!unit.inUse),
    formatSize(unit.size),
    formatAgo(now - unit.lastUsedAt),
  ]);
  return formatTable([['ID', 'RECLAIMABLE', 'SIZE', 'LAST ACCESSED'], ...rows]);
}

/** All that is known of each, as `--verbose` shows it. */
export function cacheDetails(units: readonly CacheUnit[], now: number): string {
  return units.map((unit) => details(unit, now)).join('\n');
}

function details(unit: CacheUnit, now: number): string {
  const lines = [
    ['ID:', unit.id],
    ...(unit.parents.length > 0 ? [['Parents:', unit.parents.join(', ')]] : []),
    ...(unit.createdAt === undefined ? [] : [['Created at:', new Date(unit.createdAt).toISOString()]]),
    ['Mutable:', String(unit.mutable)],
    ['Reclaimable:', String(!unit.inUse)],
    ['Shared:', String(unit.shared)],
    ['Size:', formatSize(unit.size)],
    ['Description:', unit.description],
    ['Last used:', formatAgo(now - unit.lastUsedAt)],
    ['Type:', unit.type],
  ];
  return formatTable(lines);
}

/** One JSON object a line, with the names of buildx; sizes are bytes. */
export function cacheJson(units: readonly CacheUnit[]): string {
  return units
    .map((unit) => {
      const line = {
        ID: unit.id,
        Parents: unit.parents,
        ...(unit.createdAt !== undefined && { CreatedAt: new Date(unit.createdAt).toISOString() }),
        Mutable: unit.mutable,
        Reclaimable: !unit.inUse,
        Shared: unit.shared,
        Size: unit.size,
        Description: unit.description,
        LastUsedAt: new Date(unit.lastUsedAt).toISOString(),
        Type: unit.type,
      };
      return `${JSON.stringify(line)}\n`;
    })
    .join('');
}
