import { lastError } from './errno.js';
import { libc } from './libc.js';

const FICLONE = 0x40049409;

/**
 * Copies up to `length` bytes between two open files from their current positions, inside the kernel. Returns the
 * bytes copied, 0 at the end of `input`. EXDEV, EINVAL, ENOSYS and EOPNOTSUPP mean: read and write instead.
 */
export function copyFileRange(input: number, output: number, length: number): number {
  const copied = libc().copy_file_range(input, null, output, null, length, 0);
  if (copied < 0) throw lastError('copy_file_range');
  return copied;
}

/** Makes `output` share all of `input`'s blocks. Throws EOPNOTSUPP (ENOTSUP), EXDEV or EINVAL where that is not possible. */
export function cloneFile(input: number, output: number): void {
  if (libc().ioctl(output, FICLONE, input) !== 0) throw lastError('ioctl');
}
