import { closeSync, openSync, writeSync } from 'node:fs';
import { BuildError } from '../../base/errors.js';
import type { TarEntry } from '../../layer/tar-entry.js';
import { TarParser } from '../../layer/tar-reader.js';
import type { ContentSource } from './change-set.js';

export interface ArchiveMember {
  readonly entry: TarEntry;
  /** For files. */
  readonly content?: ContentSource;
}

/**
 * The members of a tar, their content laid down in `spoolFile` one after the other, holes filled. Undefined if the
 * bytes do not begin as a tar does (then a copy of the file is what is wanted); `spoolFile` is made only for members
 * with content. Throws BuildError ARCHIVE_INVALID for a tar that is damaged further on.
 */
export async function readArchive(
  bytes: AsyncIterable<Buffer>,
  spoolFile: string,
  signal: AbortSignal,
): Promise<readonly ArchiveMember[] | undefined> {
  const members: ArchiveMember[] = [];
  using spool = new Spool(spoolFile);
  let start = 0;
  const parser = new TarParser({
    entry: (entry) => {
      start = spool.end;
      if (entry.type !== 'file') members.push({ entry });
      else if (entry.size === 0) members.push({ entry, content: { kind: 'bytes', data: Buffer.alloc(0) } });
      else {
        members.push({ entry, content: { kind: 'archive', file: spoolFile, offset: start, size: entry.size } });
        spool.end = start + entry.size;
      }
    },
    data: (chunk, position) => spool.write(chunk, start + position),
    end: () => undefined,
  });
  try {
    for await (const chunk of bytes) {
      signal.throwIfAborted();
      parser.write(chunk);
    }
  } catch (error) {
    if (members.length === 0 && error instanceof BuildError && error.code === 'ARCHIVE_INVALID') return undefined;
    throw error;
  }
  if (members.length === 0) return undefined;
  try {
    parser.finish();
  } catch (error) {
    throw new BuildError('ARCHIVE_INVALID', 'unexpected EOF', { cause: error });
  }
  spool.fill();
  return members;
}

class Spool {
  /** Where the next member begins. */
  end = 0;
  readonly #path: string;
  #file: number | undefined;
  #written = 0;

  constructor(path: string) {
    this.#path = path;
  }

  write(bytes: Buffer, position: number): void {
    this.#file ??= openSync(this.#path, 'wx', 0o600);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at, bytes.length - at, position + at);
    this.#written = Math.max(this.#written, position + bytes.length);
  }

  /** A hole at the very end becomes part of the file too. */
  fill(): void {
    if (this.end > this.#written) this.write(Buffer.alloc(1), this.end - 1);
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}
