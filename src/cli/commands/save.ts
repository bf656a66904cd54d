import { BuildError } from '../../base/errors.js';
import { saveImages } from '../../build/index.js';
import { withProgress, type ProgressFlags } from '../output/with-progress.js';

interface SaveFlags extends ProgressFlags {
  readonly root?: string;
  readonly output?: string;
}

export async function run(images: readonly string[], flags: SaveFlags, signal: AbortSignal): Promise<void> {
  const { root, output: file = '-' } = flags;
  if (file === '-' && process.stdout.isTTY) {
    throw new BuildError('USAGE', 'an archive would be written to a terminal', {
      hint: 'use `-o FILE`, or pipe it to where it belongs',
    });
  }
  await withProgress(
    flags,
    async (emit) => await saveImages({ images, file, signal, emit, ...(root !== undefined && { root }) }),
  );
}
