import { createReadStream, createWriteStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { BuildError, hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { JobContext } from '../job/context.js';
import { TransferReport } from '../job/transfer-report.js';
import { decompress, detectCompression, MAGIC_BYTES } from '../layer/compression.js';
import type { BlobStore } from '../store/blobs.js';
import { ImageArchive } from './image-archive.js';

/**
 * Runs `work` on an archive of images in a file. What cannot be read in place (a pipe, a compressed file, `-` for
 * `input`) is written out first as a temporary file of the store. Throws IMAGE_NOT_FOUND when there is no such file, and
 * what reading the archive throws.
 */
export async function withArchive<T>(
  file: string,
  { blobs, input, job }: { readonly blobs: BlobStore; readonly input: AsyncIterable<Buffer>; readonly job: JobContext },
  work: (archive: ImageArchive) => Promise<T>,
): Promise<T> {
  if (file !== '-' && (await isReadableInPlace(file))) return await work(await ImageArchive.open(file, file, job));
  const name = file === '-' ? 'stdin' : file;
  const temp = await blobs.tempPath();
  try {
    const report = new TransferReport(`reading ${name}`, job);
    const source = file === '-' ? input : createReadStream(file);
    try {
      const content = bounded(decompress(source), name, (size) => report.update(size, undefined));
      await pipeline(content, createWriteStream(temp, { flags: 'wx' }), { signal: job.signal });
    } finally {
      report.end();
    }
    return await work(await ImageArchive.open(temp, name, job));
  } catch (error) {
    job.signal.throwIfAborted();
    throw error;
  } finally {
    await rm(temp, { force: true });
  }
}

async function isReadableInPlace(file: string): Promise<boolean> {
  try {
    const stats = await stat(file);
    if (stats.isDirectory()) throw new BuildError('IMAGE_NOT_FOUND', `\`${file}\` is a directory, not an archive`);
    if (!stats.isFile()) return false;
    const handle = await open(file, 'r');
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
      return detectCompression(buffer.subarray(0, bytesRead)) === 'none';
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error;
    const why = hasCode(error, 'EACCES') ? 'permission denied' : 'no such file';
    throw new BuildError('IMAGE_NOT_FOUND', `cannot read the archive \`${file}\`: ${why}`, { cause: error });
  }
}

async function* bounded(
  content: AsyncIterable<Buffer>,
  name: string,
  onProgress: (size: number) => void,
): AsyncGenerator<Buffer, void, undefined> {
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > limits.unpackedBytes) {
      throw new BuildError('ARCHIVE_INVALID', `\`${name}\` has more than ${limits.unpackedBytes} bytes`);
    }
    onProgress(size);
    yield chunk;
  }
}
