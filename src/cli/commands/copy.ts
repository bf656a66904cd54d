import { BuildError } from '../../base/errors.js';
import { copyImage } from '../../build/index.js';
import { withProgress, type ProgressFlags } from '../output/with-progress.js';

interface CopyFlags extends ProgressFlags {
  readonly root?: string;
  readonly platform?: string;
  readonly allPlatforms?: boolean;
}

/** Prints the digest of what was copied, unless the image itself goes to stdout. */
export async function run(source: string, destination: string, flags: CopyFlags, signal: AbortSignal): Promise<void> {
  const { root, platform, allPlatforms } = flags;
  if (platform !== undefined && allPlatforms) {
    throw new BuildError('USAGE', '`--platform` and `--all-platforms` contradict each other');
  }
  const { result, told } = await withProgress(
    flags,
    async (emit) =>
      await copyImage({
        source,
        destination,
        signal,
        emit,
        ...(root !== undefined && { root }),
        ...(platform !== undefined && { platform }),
      }),
  );
  if (told) process.stderr.write(`copied ${source} to ${destination}\n`);
  if (!/-archive:-(?::|$)/.test(destination)) process.stdout.write(`${result.digest}\n`);
}
