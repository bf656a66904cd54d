import { findImage, imageHistory, openStore } from '../../build/index.js';
import { formatSize, formatTable } from '../../report/format.js';
import { requireFormat } from './format-flag.js';

interface HistoryFlags {
  readonly root?: string;
  readonly format: string;
  /** False for `--no-trunc`. */
  readonly trunc: boolean;
}

const WIDTH = 80;

export async function run(name: string, flags: HistoryFlags, signal: AbortSignal): Promise<void> {
  requireFormat(flags.format);
  await using opened = await openStore(flags.root, signal, 'read');
  const { image } = await findImage(opened.store, name, { signal });
  const history = await imageHistory(image, opened.store, { signal });
  if (flags.format === 'json') {
    process.stdout.write(`${JSON.stringify(history, undefined, 2)}\n`);
    return;
  }
  const rows = [...history].reverse().map((step) => {
    const text = step.createdBy.replace(/\s+/g, ' ');
    return [
      step.created ?? '',
      formatSize(step.size),
      flags.trunc && text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text,
    ];
  });
  process.stdout.write(formatTable([['CREATED', 'SIZE', 'CREATED BY'], ...rows]));
}
