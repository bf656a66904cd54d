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
  for (const { name, digest, isNew, bytes } of result) {
    const what = isNew
      ? `pulled ${name}, ${bytes === 0 ? 'all of it was here' : formatSize(bytes)}`
      : `${name} is up to date`;
    if (told) process.stderr.write(`${what}\n`);
    process.stdout.write(`${digest}\n`);
  }
}
