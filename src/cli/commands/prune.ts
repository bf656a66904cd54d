import { parseSize } from '../../base/size.js';
import { BuildError, pruneStore, type BuildEvent } from '../../build/index.js';
import { formatSize, formatTable } from '../../report/format.js';
import { ask } from '../prompt.js';
import { cacheDetails, cacheJson, cacheTable } from './cache-table.js';
import { requireFormat } from './format-flag.js';

interface PruneFlags {
  readonly root?: string;
  readonly all?: boolean;
  readonly force?: boolean;
  readonly verbose?: boolean;
  readonly format: string;
  readonly filter?: readonly string[];
  readonly keepStorage?: string;
  readonly reservedSpace?: string;
  readonly maxUsedSpace?: string;
  readonly minFreeSpace?: string;
}

export async function run(flags: PruneFlags, signal: AbortSignal): Promise<void> {
  requireFormat(flags.format);
  const { root, all = false, filter = [] } = flags;
  const bounds = spaceBounds(flags);
  if (!flags.force && !(await isAgreed(all, signal))) return;
  const emit = (event: BuildEvent): void => {
    if (event.type === 'notice' && event.level === 'warning') process.stderr.write(`warning: ${event.text}\n`);
  };
  const { units, reclaimed } = await pruneStore({
    signal,
    all,
    emit,
    filters: filter,
    ...bounds,
    ...(root !== undefined && { root }),
  });
  if (flags.format === 'json') return void process.stdout.write(cacheJson(units));
  const show = flags.verbose ? cacheDetails : cacheTable;
  const table = units.length > 0 ? `${show(units, Date.now())}\n` : '';
  process.stdout.write(table + formatTable([['Total:', formatSize(reclaimed)]]));
}

/** `--keep-storage` is what `--reserved-space` was called before. */
function spaceBounds(flags: PruneFlags): Readonly<Record<string, number>> {
  const given = {
    reservedSpace: size('--reserved-space', flags.reservedSpace) ?? size('--keep-storage', flags.keepStorage),
    maxUsedSpace: size('--max-used-space', flags.maxUsedSpace),
    minFreeSpace: size('--min-free-space', flags.minFreeSpace),
  };
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, bytes]) => (bytes === undefined ? [] : [[name, bytes]])),
  );
}

function size(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw new BuildError('USAGE', `invalid size \`${text}\` of \`${flag}\``, {
    hint: 'write bytes, or a number with a unit: 512MB, 10GB',
  });
}

async function isAgreed(all: boolean, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new BuildError('USAGE', 'nobody can be asked whether the cache may be removed: there is no terminal', {
      hint: 'give `--force` to remove it without a question',
    });
  }
  const what = all ? 'all build cache' : 'all dangling build cache';
  const question = `WARNING! This will remove ${what}. Are you sure you want to continue? [y/N] `;
  return /^y(?:es)?$/i.test((await ask(question, { signal })).trim());
}
