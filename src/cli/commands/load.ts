import { BuildError } from '../../base/errors.js';
import { loadImages } from '../../build/index.js';
import { withProgress, type ProgressFlags } from '../output/with-progress.js';

interface LoadFlags extends ProgressFlags {
  readonly root?: string;
  readonly input?: string;
}

export async function run(flags: LoadFlags, signal: AbortSignal): Promise<void> {
  const { root, input: file = '-' } = flags;
  if (file === '-' && process.stdin.isTTY) {
    throw new BuildError('USAGE', 'nothing is given to load', { hint: 'use `-i FILE`, or pipe an archive in' });
  }
  const { result } = await withProgress(
    flags,
    async (emit) => await loadImages({ file, signal, emit, ...(root !== undefined && { root }) }),
  );
  for (const { digest, names } of result) {
    if (names.length === 0) process.stdout.write(`Loaded image ID: ${digest}\n`);
    for (const name of names) process.stdout.write(`Loaded image: ${name}\n`);
  }
}
