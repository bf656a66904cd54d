import { createWriteStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Cancel } from '../base/abort.js';
import { hasCode } from '../base/errors.js';
import { LandingFile } from '../base/linux/landing-file.js';
import { exportFailure } from '../base/system-errors.js';
import { encodeHeader, TAR_END } from '../layer/tar-writer.js';
import { writeChunks } from './write-chunks.js';

/** One file of an archive. */
export interface ArchiveFile {
  /** Relative, ASCII. */
  readonly name: string;
  readonly size: number;
  readonly open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Appends the same bytes to an open file, where there is a way that is faster than `open`; gives how many. */
  readonly appendTo?: (fd: number) => Promise<number>;
}

/** A file from bytes. */
export function fileOf(name: string, content: string | Uint8Array): ArchiveFile {
  const bytes = Buffer.from(content);
  return { name, size: bytes.byteLength, open: () => [bytes] };
}

/**
 * Writes files as a tar, in byte order of their names, with directories before what is in them, modes and times
 * fixed. `dest` `-` is stdout; a file lands whole or not at all, unless `mustBeWrittenInto`.
 */
export async function writeArchive(dest: string, files: readonly ArchiveFile[], opts: Cancel): Promise<void> {
  if (dest === '-') {
    await pipeline(Readable.from(tarOf(files)), process.stdout, { signal: opts.signal, end: false });
    return;
  }
  try {
    if (await mustBeWrittenInto(dest)) {
      await pipeline(Readable.from(tarOf(files)), createWriteStream(dest), { signal: opts.signal });
      return;
    }
    using file = LandingFile.open(dest);
    for await (const piece of piecesOf(files)) {
      if (piece instanceof Uint8Array) await writeChunks(file.fd, [piece], opts);
      else checkSize(piece.file, await piece.appendTo(file.fd));
    }
    file.land();
  } catch (error) {
    opts.signal.throwIfAborted();
    throw exportFailure(dest, error);
  }
}

/** A device, a pipe, a link (`/dev/stdout` is one): a rename would put a file in its place on this machine. */
export async function mustBeWrittenInto(dest: string): Promise<boolean> {
  try {
    return !(await lstat(dest)).isFile();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** The bytes of the tar that `writeArchive` writes. */
export async function* tarOf(files: readonly ArchiveFile[]): AsyncGenerator<Uint8Array, void, undefined> {
  const asBytes = files.map(({ name, size, open }) => ({ name, size, open }));
  for await (const piece of piecesOf(asBytes)) {
    if (!(piece instanceof Uint8Array)) throw new Error(`\`${piece.file.name}\` is not given as bytes`);
    yield piece;
  }
}

/** A part of the tar that its file can append itself. */
interface OwnPiece {
  readonly file: ArchiveFile;
  readonly appendTo: NonNullable<ArchiveFile['appendTo']>;
}

async function* piecesOf(files: readonly ArchiveFile[]): AsyncGenerator<Uint8Array | OwnPiece, void, undefined> {
  const made = new Set<string>();
  for (const file of [...files].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const parts = file.name.split('/');
    for (let i = 1; i < parts.length; i++) {
      const dir = parts.slice(0, i).join('/');
      if (made.has(dir)) continue;
      made.add(dir);
      yield encodeHeader({ path: dir, type: 'dir', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0 });
    }
    yield encodeHeader({ path: file.name, type: 'file', mode: 0o444, uid: 0, gid: 0, size: file.size, mtime: 0 });
    if (file.appendTo) yield { file, appendTo: file.appendTo };
    else {
      let size = 0;
      for await (const chunk of file.open()) {
        size += chunk.byteLength;
        yield chunk;
      }
      checkSize(file, size);
    }
    yield Buffer.alloc((512 - (file.size % 512)) % 512);
  }
  yield TAR_END;
}

function checkSize({ name, size }: ArchiveFile, given: number): void {
  if (given !== size) throw new Error(`\`${name}\` gave ${given} bytes instead of ${size}`);
}
