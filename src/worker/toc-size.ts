import { open, type FileHandle } from 'node:fs/promises';
import { hasCode } from '../base/errors.js';
import { TOC_HEAD_BYTES, tocSize } from '../layer/saved-toc.js';

/** `Toc.size` of a file that holds a table of contents, without reading all of it; undefined if there is none. */
export async function readTocSize(name: string): Promise<number | undefined> {
  let file: FileHandle;
  try {
    file = await open(name);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TOC_HEAD_BYTES), 0, TOC_HEAD_BYTES, 0);
    return tocSize(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}
