import { cacheUsage } from '../../build/index.js';
import { formatSize, formatTable } from '../../report/format.js';
import { cacheDetails, cacheJson, cacheTable } from './cache-table.js';
import { requireFormat } from './format-flag.js';

interface DuFlags {
  readonly root?: string;
  readonly format: string;
  readonly verbose?: boolean;
  readonly filter?: readonly string[];
}

export async function run(flags: DuFlags, signal: AbortSignal): Promise<void> {
  requireFormat(flags.format);
  const { root, filter = [] } = flags;
  const units = await cacheUsage({ signal, filters: filter, ...(root !== undefined && { root }) });
  if (flags.format === 'json') return void process.stdout.write(cacheJson(units));
  const now = Date.now();
  const show = flags.verbose ? cacheDetails : cacheTable;
  const sum = (matches: (unit: (typeof units)[number]) => boolean): string =>
    formatSize(units.filter(matches).reduce((total, { size }) => total + size, 0));
  const totals = [
    ['Shared:', sum(({ shared }) => shared)],
    ['Private:', sum(({ shared }) => !shared)],
    ['Reclaimable:', sum(({ inUse }) => !inUse)],
    ['Total:', sum(() => true)],
  ];
  process.stdout.write(`${show(units, now)}\n${formatTable(totals)}`);
}
