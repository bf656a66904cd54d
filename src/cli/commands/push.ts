import { BuildError } from '../../base/errors.js';
import { pushImages, type PushOptions } from '../../build/index.js';
import { withProgress, type ProgressFlags } from '../output/with-progress.js';

interface PushFlags extends ProgressFlags {
  readonly root?: string;
  readonly allTags?: boolean;
  readonly compression?: string;
  readonly compressionLevel?: string;
  readonly forceCompression?: boolean;
  readonly insecure?: boolean;
}

/** Prints the digest that each name stands for at its registry now. */
export async function run(images: readonly string[], flags: PushFlags, signal: AbortSignal): Promise<void> {
  const { root, allTags = false, compression, compressionLevel, forceCompression = false, insecure = false } = flags;
  const type = compression === undefined ? undefined : compressionOf(compression);
  const { result, told } = await withProgress(
    flags,
    async (emit) =>
      await pushImages({
        images,
        allTags,
        forceCompression,
        insecure,
        signal,
        emit,
        ...(root !== undefined && { root }),
        ...(type !== undefined && { compression: type }),
        ...(compressionLevel !== undefined && { compressionLevel: levelOf(compressionLevel) }),
      }),
  );
  for (const { name, digest } of result) {
    if (told) process.stderr.write(`pushed ${name}\n`);
    process.stdout.write(`${digest}\n`);
  }
}

function compressionOf(text: string): NonNullable<PushOptions['compression']> {
  if (text === 'gzip' || text === 'zstd' || text === 'uncompressed') return text;
  throw new BuildError('USAGE', `unknown compression \`${text}\``, { hint: 'take gzip, zstd or uncompressed' });
}

function levelOf(text: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw new BuildError('USAGE', `invalid compression level \`${text}\``, { hint: 'take 0 to 9, for zstd 0 to 22' });
}
