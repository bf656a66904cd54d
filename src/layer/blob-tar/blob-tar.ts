import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Cancel } from '../../base/abort.js';
import { BuildError } from '../../base/errors.js';
import { packageRoot } from '../../base/package-root.js';
import type { DiffId } from '../../oci/digest.js';
import type { BlobFile, BlobTarData, FileIdentity, FromThread, Hashing } from './protocol.js';
import { Ring } from './ring.js';

export interface BlobTarOptions extends Cancel {
  /** Default: 'thread'. */
  readonly hashing?: Hashing;
  /** Told the bytes of the blob that were read so far. */
  readonly onProgress?: ((current: number) => void) | undefined;
}

/** Keeps the heap of a thread that hardly has one small. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64, stackSizeMb: 1 };

/**
 * The uncompressed tar of a layer's blob, whatever that is compressed with. A thread of its own reads, decompresses and, if
 * it is to, hashes, a few slots ahead of whoever takes the chunks, in memory of fixed size. The bytes of the blob itself are
 * not checked: whoever reads checks the diffID.
 */
export class BlobTar {
  readonly #blob: BlobFile;
  readonly #options: BlobTarOptions;
  #end: Extract<FromThread, { readonly kind: 'end' }> | undefined;

  constructor(blob: BlobFile, options: BlobTarOptions) {
    this.#blob = blob;
    this.#options = options;
  }

  /** Of all that came, where the thread hashes. To be asked when the last chunk was taken. */
  get diffId(): DiffId {
    const { diffId } = this.#ended;
    if (diffId === undefined) throw new Error('whoever reads the tar hashes it');
    return diffId;
  }

  /** The file that was read. To be asked when the last chunk was taken. */
  get file(): FileIdentity {
    return this.#ended.file;
  }

  get #ended(): Extract<FromThread, { readonly kind: 'end' }> {
    if (this.#end === undefined) throw new Error('the tar was not read to its end');
    return this.#end;
  }

  /**
   * To be read once. A chunk is valid until the next one is asked for. Stopping early ends the thread. Throws ARCHIVE_INVALID
   * and UNSUPPORTED as `decompress`, BLOB_CORRUPT when the blob is too short, errors of the file system, and the reason of the
   * signal.
   */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    const { signal, onProgress, hashing = 'thread' } = this.#options;
    signal.throwIfAborted();
    const ring = new Ring();
    const workerData: BlobTarData = { blob: this.#blob, hashing, memory: ring.memory };
    const thread = new Worker(threadFile(), { workerData, execArgv: [], resourceLimits: RESOURCE_LIMITS });
    const said = new Mailbox<FromThread>();
    thread.on('message', (message: FromThread) => said.put(message));
    thread.on('error', (error) => said.fail(error));
    const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
    const onAbort = (): void => said.fail(signal.reason);
    signal.addEventListener('abort', onAbort);
    try {
      for (let count = 0; ; count++) {
        const message = await said.take();
        if (message.kind === 'end') {
          this.#end = message;
          return;
        }
        if (message.kind !== 'slot') throw failure(message);
        onProgress?.(message.read);
        yield ring.slot(count).subarray(0, message.length);
        ring.release();
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      ring.stop();
      await ended;
    }
  }
}

function threadFile(): string {
  return path.join(packageRoot(), 'dist', 'blob-tar.js');
}

function failure(message: Extract<FromThread, { readonly kind: 'failed' | 'system' }>): Error {
  if (message.kind === 'system') return Object.assign(new Error(message.message), { code: message.code });
  const { code, hint, why } = message;
  return new BuildError(code, message.message, {
    ...(hint !== undefined && { hint }),
    ...(why !== undefined && { cause: new Error(why) }),
  });
}

/** Messages in their order, for one who waits for them. */
class Mailbox<T> {
  readonly #messages: T[] = [];
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  put(message: T): void {
    this.#messages.push(message);
    this.#wake?.();
  }

  /** Those that wait hear of it before older messages. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  async take(): Promise<T> {
    for (;;) {
      if (this.#failure) throw this.#failure.error;
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}
