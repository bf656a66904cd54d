import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeDirectory } from './make-directory.js';

/**
 * Replaces `file` by `content` in one step: readers see the old bytes or the new ones, never a part. The bytes are
 * written to a temporary file in `tempDir` first, which must be on the same file system and is made if absent. `mode` is
 * that of the new file, less the umask.
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  tempDir: string = path.dirname(file),
  mode = 0o644,
): Promise<void> {
  makeDirectory(tempDir);
  const temp = path.join(tempDir, `.tmp-${randomBytes(8).toString('hex')}`);
  const handle = await open(temp, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.close();
    await rename(temp, file);
  } catch (error) {
    await handle.close().catch(() => undefined); // already closed, or the write error below is the one to report
    await rm(temp, { force: true });
    throw error;
  }
}
