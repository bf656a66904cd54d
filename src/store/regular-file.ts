import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { BuildError } from '../base/errors.js';

/**
 * What is known of a file that somebody else made, links followed. Throws IMAGE_INVALID for a pipe, a device and the
 * like: to open one can block for ever, and with it a thread that others wait for.
 */
export async function statRegularFile(file: string): Promise<Stats> {
  const stats = await stat(file);
  if (!stats.isFile()) throw new BuildError('IMAGE_INVALID', `\`${file}\` is not a regular file`);
  return stats;
}
