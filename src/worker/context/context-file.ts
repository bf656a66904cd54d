import { createHash, hash as oneShotHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { ByteString } from '../../base/bytes.js';
import { BuildError, hasCode } from '../../base/errors.js';
import { isSame, type SeenFile } from '../../layer/pack.js';
import { digestOf, type Digest } from '../../oci/digest.js';
import { shown } from '../file-op/paths.js';

/** One for all files: they are read one after the other. */
const buffer = Buffer.allocUnsafeSlow(1024 * 1024);

/**
 * Throws BuildError CONTEXT_INVALID if the file is not the one that was seen. `at` is its name for people. `keep` is handed the
 * bytes, which are its own only while it is called, if they were read in one piece.
 */
export function digestFile(
  file: string | Buffer,
  seen: SeenFile,
  at: ByteString,
  keep?: (bytes: Buffer) => void,
): Digest {
  if (seen.size === 0) return EMPTY;
  const fd = openSeen(file, at);
  try {
    const first = readSync(fd, buffer, 0, Math.min(buffer.length, seen.size), null);
    if (first === seen.size) {
      requireSame(fd, seen, at);
      keep?.(buffer.subarray(0, first));
      return `sha256:${oneShotHash('sha256', buffer.subarray(0, first), 'hex')}` as Digest;
    }
    const hash = createHash('sha256').update(buffer.subarray(0, first));
    for (let read = first; read < seen.size;) {
      const got = readSync(fd, buffer, 0, Math.min(buffer.length, seen.size - read), null);
      if (got === 0) throw changed(at);
      hash.update(buffer.subarray(0, got));
      read += got;
    }
    requireSame(fd, seen, at);
    return `sha256:${hash.digest('hex')}` as Digest;
  } finally {
    closeSync(fd);
  }
}

const EMPTY = digestOf('');

/**
 * The bytes in order, which must hash to `digest` if it is known. Throws BuildError CONTEXT_INVALID, possibly after the
 * last chunk.
 */
export async function* readChunks(
  file: string | Buffer,
  seen: SeenFile,
  at: ByteString,
  digest: Digest | undefined,
): AsyncIterable<Buffer> {
  if (seen.size === 0) return;
  const hash = digest === undefined ? undefined : createHash('sha256');
  const fd = openSeen(file, at);
  try {
    for (let read = 0; read < seen.size;) {
      const chunk = Buffer.allocUnsafe(Math.min(buffer.length, seen.size - read));
      const got = readSync(fd, chunk, 0, chunk.length, null);
      if (got === 0) throw changed(at);
      read += got;
      hash?.update(chunk.subarray(0, got));
      yield chunk.subarray(0, got);
    }
    requireSame(fd, seen, at);
    if (hash !== undefined && `sha256:${hash.digest('hex')}` !== digest) throw changed(at);
  } finally {
    closeSync(fd);
  }
}

function openSeen(file: string | Buffer, at: ByteString): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) throw changed(at, error);
    if (!hasCode(error, 'EACCES', 'EPERM')) throw error;
    throw new BuildError('CONTEXT_INVALID', `cannot read \`${shown(at)}\` of the build context`, { cause: error });
  }
}

/** Looked at after the bytes were read: a change before that shows, one after it does not matter. */
function requireSame(fd: number, seen: SeenFile, at: ByteString): void {
  if (!isSame(fstatSync(fd), seen)) throw changed(at);
}

function changed(at: ByteString, cause?: unknown): BuildError {
  return new BuildError('CONTEXT_INVALID', `\`${shown(at)}\` of the build context changed while it was read`, {
    hint: 'stop what writes to the context, or name the file in .dockerignore',
    ...(cause !== undefined && { cause }),
  });
}
