import { compareImages, openStore } from '../../build/index.js';
import { comparisonText } from '../../report/comparison-text.js';
import { requireFormat } from './format-flag.js';

interface CompareFlags {
  readonly root?: string;
  readonly format: string;
}

export async function run(a: string, b: string, flags: CompareFlags, signal: AbortSignal): Promise<void> {
  requireFormat(flags.format);
  await using opened = await openStore(flags.root, signal, 'read');
  const comparison = await compareImages(opened.store, a, b, { signal });
  process.stdout.write(
    flags.format === 'json' ? `${JSON.stringify(comparison, undefined, 2)}\n` : comparisonText(comparison),
  );
}
