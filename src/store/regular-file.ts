import { statSync, type Stats } from 'node:fs';
import { BuildError } from '../base/errors.js';

/**
 * What is known of a file that somebody else made, links followed. Throws IMAGE_INVALID for a pipe, a device and the
 * like: to open one can block for ever, and with it a thread that others wait for.
 */
export function statRegularFile(file: string): Stats {
  const stats = statSync(file);
  if (!stats.isFile()) throw new BuildError('IMAGE_INVALID', `\`${file}\` is not a regular file`);
  return stats;
}
