import { read } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { hasCode } from '../base/errors.js';
import { copyFileRange } from '../base/linux/copy-range.js';
import { isLinux } from '../base/platform.js';
import type { PutOptions } from '../oci/content.js';
import { writeChunks } from './write-chunks.js';

/** What the kernel copies in one call, which nothing can interrupt. */
const STEP = 32 * 1024 * 1024;
const CHUNK = 1024 * 1024;

const readFrom = promisify(read);

/**
 * Appends what is left of `file`, from its beginning, to an open file; inside the kernel where it can, and without a copy
 * where the file system can share blocks. Gives the bytes.
 */
export async function appendFile(file: string, output: number, opts: PutOptions): Promise<number> {
  const input = await open(file, 'r');
  try {
    let size = 0;
    for (;;) {
      opts.signal.throwIfAborted();
      const copied = copyStep(input.fd, output);
      if (copied === undefined) {
        const onProgress = (current: number): void => opts.onProgress?.(size + current);
        return size + (await writeChunks(output, rest(input.fd), { signal: opts.signal, onProgress }));
      }
      if (copied === 0) return size;
      size += copied;
      opts.onProgress?.(size);
      await setImmediate(); // so that a cancellation is heard
    }
  } finally {
    await input.close();
  }
}

/** Undefined where the kernel cannot. */
function copyStep(input: number, output: number): number | undefined {
  if (!isLinux) return undefined;
  try {
    return copyFileRange(input, output, STEP);
  } catch (error) {
    if (hasCode(error, 'EXDEV', 'EINVAL', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EPERM')) return undefined;
    throw error;
  }
}

async function* rest(fd: number): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const { bytesRead, buffer } = await readFrom(fd, Buffer.allocUnsafe(CHUNK), 0, CHUNK, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
