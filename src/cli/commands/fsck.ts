import { checkStore, type FsckReport } from '../../build/index.js';
import { formatSize } from '../../report/format.js';
import { requireFormat } from './format-flag.js';

interface FsckFlags {
  readonly root?: string;
  readonly quick?: boolean;
  readonly repair?: boolean;
  readonly format: string;
}

/** Exit code 1 when damage was found that is not mended: without `--repair` any, with it what images have lost. */
export async function run(flags: FsckFlags, signal: AbortSignal): Promise<void> {
  requireFormat(flags.format);
  const { root, quick = false, repair = false } = flags;
  const report = await checkStore({ signal, quick, repair, ...(root !== undefined && { root }) });
  if (report.damage.some(({ images }) => !repair || images.length > 0)) process.exitCode = 1;
  process.stdout.write(flags.format === 'json' ? `${JSON.stringify(report, undefined, 2)}\n` : text(report));
}

function text({ damage, leftovers, checked }: FsckReport): string {
  const found = damage.map(({ what, images, remedy }) => {
    const affected = images.length > 0 ? `  affects: ${images.join(', ')}\n` : '';
    return `damage: ${what}\n${affected}  remedy: ${remedy}\n`;
  });
  const { images, blobs, bytes, records } = checked;
  const left =
    leftovers.count === 0
      ? ''
      : `${count(leftovers.count, 'leftover')} of killed jobs (${formatSize(leftovers.bytes)}), which \`slipway prune\` removes\n`;
  const seen = `${count(images, 'image')}, ${count(blobs, 'blob')} (${formatSize(bytes)}) and ${count(records, 'cache record')} checked`;
  return `${found.join('')}${left}${seen}: ${damage.length === 0 ? 'no damage' : count(damage.length, 'fault')}\n`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
