import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { createHash, type Hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { BuildError, hasCode } from '../../base/errors.js';
import type { DiffId } from '../../oci/digest.js';
import { checkBomb, damaged, decompress, detectCompression, hasZlibCode, MAGIC_BYTES } from '../compression.js';
import { Gunzip } from './gunzip.js';
import type { BlobFile, BlobTarData, FileIdentity, FromThread, Hashing } from './protocol.js';
import { Ring, SLOT_BYTES, Stopped } from './ring.js';

const READ_BYTES = 256 * 1024;
/** How often a file that grows is looked at when all of it was read. */
const LOOK_MS = 3;

/** Fills the slots of a ring with the uncompressed bytes, and hashes them if nobody else does. */
class Filler {
  readonly #ring: Ring;
  readonly #hash: Hash | undefined;
  #slot: Buffer | undefined;
  #at = 0;
  /** Bytes of the blob so far. */
  read = 0;
  /** Where they come from. */
  file: FileIdentity = { device: 0, inode: 0 };

  constructor(ring: Ring, hashing: Hashing) {
    this.#ring = ring;
    this.#hash = hashing === 'thread' ? createHash('sha256') : undefined;
  }

  /** Room in the slot that is being filled, which is never none. `done` tells how much of it was used. */
  room(): { readonly slot: Buffer; readonly at: number } {
    this.#slot ??= this.#ring.next();
    return { slot: this.#slot, at: this.#at };
  }

  done(made: number): void {
    this.#at += made;
    if (this.#at === SLOT_BYTES) this.#give();
  }

  copy(chunk: Buffer): void {
    for (let from = 0; from < chunk.length;) {
      const { slot, at } = this.room();
      const made = chunk.copy(slot, at, from);
      from += made;
      this.done(made);
    }
  }

  /** The diffID, if the bytes were hashed. */
  end(): DiffId | undefined {
    if (this.#at > 0) this.#give();
    return this.#hash && (`sha256:${this.#hash.digest('hex')}` as DiffId);
  }

  #give(): void {
    this.#hash?.update(this.#slot!.subarray(0, this.#at));
    this.#ring.filled();
    tell({ kind: 'slot', length: this.#at, read: this.read });
    this.#slot = undefined;
    this.#at = 0;
  }
}

function tell(message: FromThread): void {
  parentPort!.postMessage(message);
}

/** The chunks of the blob, as they come; each is valid until the next. Throws BLOB_CORRUPT when there are fewer. */
function* chunksOf({ file, size, growing }: BlobFile, ring: Ring, filler: Filler): Generator<Buffer, void, undefined> {
  const { fd, grows } = open(file, growing, ring);
  try {
    const { dev, ino } = fstatSync(fd);
    filler.file = { device: dev, inode: ino };
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    for (let at = 0; at < size;) {
      const count = readSync(fd, buffer, 0, Math.min(READ_BYTES, size - at), at);
      at += count;
      filler.read = at;
      if (count > 0) yield buffer.subarray(0, count);
      else if (grows && fstatSync(fd).nlink > 0) ring.pause(LOOK_MS);
      else throw new BuildError('BLOB_CORRUPT', `\`${file}\` has ${at} bytes instead of ${size}`);
    }
  } finally {
    closeSync(fd);
  }
}

function open(file: string, growing: string | undefined, ring: Ring): { readonly fd: number; readonly grows: boolean } {
  for (;;) {
    for (const name of growing === undefined ? [file] : [growing, file]) {
      try {
        return { fd: openSync(name, 'r'), grows: name === growing };
      } catch (error) {
        if (growing === undefined || !hasCode(error, 'ENOENT')) throw error;
      }
    }
    ring.pause(LOOK_MS);
  }
}

async function fill({ blob, hashing, memory }: BlobTarData): Promise<void> {
  const ring = new Ring(memory);
  const filler = new Filler(ring, hashing);
  const chunks = chunksOf(blob, ring, filler);
  const first = chunks.next();
  const head = first.done === true ? Buffer.alloc(0) : first.value;
  const isGzip = head.length >= MAGIC_BYTES && detectCompression(head) === 'gzip';
  const gunzip = isGzip ? Gunzip.open() : undefined;
  const all = from(head, chunks);
  if (gunzip) inflate(gunzip, all, filler);
  else for await (const chunk of decompress(copied(all))) filler.copy(chunk);
  const diffId = filler.end();
  tell({ kind: 'end', ...(diffId !== undefined && { diffId }), file: filler.file });
}

function inflate(gunzip: Gunzip, chunks: Iterable<Buffer>, filler: Filler): void {
  let size = 0;
  const made = (count: number): void => {
    size += count;
    checkBomb(size, filler.read);
    filler.done(count);
  };
  try {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) {
        const { slot, at: to } = filler.room();
        const step = gunzip.write(chunk.subarray(at), slot, to);
        at += step.taken;
        made(step.made);
      }
    }
    for (let more = true; more;) {
      const { slot, at: to } = filler.room();
      const count = gunzip.end(slot, to);
      more = count === slot.length - to;
      made(count);
    }
  } catch (error) {
    throw hasZlibCode(error) ? damaged('gzip', error) : error;
  } finally {
    gunzip.close();
  }
}

function* from(head: Buffer, rest: Iterable<Buffer>): Generator<Buffer, void, undefined> {
  if (head.length > 0) yield head;
  yield* rest;
}

/** For those who keep chunks. */
function* copied(chunks: Iterable<Buffer>): Generator<Buffer, void, undefined> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

function failure(error: unknown): FromThread {
  if (error instanceof BuildError) {
    const { code, message, hint, cause } = error;
    const why = cause instanceof Error ? cause.message : undefined;
    return { kind: 'failed', code, message, ...(hint !== undefined && { hint }), ...(why !== undefined && { why }) };
  }
  if (error instanceof Error && 'code' in error) {
    return { kind: 'system', code: String(error.code), message: error.message };
  }
  throw error;
}

try {
  await fill(workerData as BlobTarData);
} catch (error) {
  if (!(error instanceof Stopped)) tell(failure(error));
}
