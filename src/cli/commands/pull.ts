import { pullImages } from '../../build/index.js';
import { formatSize } from '../../report/format.js';
import { withProgress, type ProgressFlags } from '../output/with-progress.js';

interface PullFlags extends ProgressFlags {
  readonly root?: string;
  readonly platform?: string;
  readonly allPlatforms?: boolean;
}

/** Prints the digest that each name stands for at its registry. */
export async function run(images: readonly string[], flags: PullFlags, signal: AbortSignal): Promise<void> {
  const { root, platform, allPlatforms = false } = flags;
  const { result, told } = await withProgress(
    flags,
    async (emit) =>
      await pullImages({
        images,
        allPlatforms,
        signal,
        emit,
        ...(root !== undefined && { root }),
        ...(platform !== undefined && { platform }),
      }),
  );
  for (const { name, digest, counts } of result) {
    const { blobs, bytes } = counts.copied;
    const what = blobs === 0 ? 'up to date' : `${blobs} blob${blobs === 1 ? '' : 's'}, ${formatSize(bytes)}`;
    if (told) process.stderr.write(`pulled ${name}: ${what}\n`);
    process.stdout.write(`${digest}\n`);
  }
}
