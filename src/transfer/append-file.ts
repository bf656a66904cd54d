import { open } from 'node:fs/promises';
import type { PutOptions } from '../oci/content.js';
import { writeChunks } from './write-chunks.js';

const CHUNK = 4 * 1024 * 1024;

/**
 * Appends a file, from its beginning, to an open one; gives the bytes. By one large buffer: in an archive nothing lies at
 * whole blocks, which file systems could share, and without that copy_file_range(2) takes five times as long on tmpfs.
 */
export async function appendFile(file: string, output: number, opts: PutOptions): Promise<number> {
  const input = await open(file, 'r');
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  async function* chunks(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const { bytesRead } = await input.read(buffer, 0, CHUNK, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  }
  try {
    return await writeChunks(output, chunks(), opts);
  } finally {
    await input.close();
  }
}
