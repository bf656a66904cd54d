import { write } from 'node:fs';
import { promisify } from 'node:util';
import type { PutOptions } from '../oci/content.js';

const writeFile = promisify(write);

/** Appends to an open file; gives the bytes. When this has ended, however it ended, nothing is being written any more. */
export async function writeChunks(
  fd: number,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { signal, onProgress }: PutOptions,
): Promise<number> {
  let size = 0;
  for await (const chunk of content) {
    signal.throwIfAborted();
    for (let at = 0; at < chunk.byteLength;) at += (await writeFile(fd, chunk, at, chunk.byteLength - at)).bytesWritten;
    size += chunk.byteLength;
    onProgress?.(size);
  }
  return size;
}
