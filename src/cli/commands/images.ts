import { listImages, openStore } from '../../build/index.js';
import { formatSize, formatTable } from '../../report/format.js';
import { requireFormat } from './format-flag.js';

interface ImagesFlags {
  readonly root?: string;
  readonly format: string;
}

export async function run(flags: ImagesFlags, signal: AbortSignal): Promise<void> {
  requireFormat(flags.format);
  await using opened = await openStore(flags.root, signal, 'read');
  const images = await listImages(opened.store, { signal });
  if (flags.format === 'json') {
    process.stdout.write(`${JSON.stringify(images, undefined, 2)}\n`);
    return;
  }
  const rows = images.map((image) => [
    image.repository ?? '<none>',
    image.tag ?? '<none>',
    image.digest.slice(7, 19),
    image.created ?? '',
    formatSize(image.size),
  ]);
  process.stdout.write(formatTable([['REPOSITORY', 'TAG', 'DIGEST', 'CREATED', 'SIZE'], ...rows]));
}
