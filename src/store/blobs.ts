import { createHash, randomBytes } from 'node:crypto';
import { constants, readFileSync, statSync } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Cancel } from '../base/abort.js';
import { collectNewGarbage } from '../base/collect-garbage.js';
import { counted } from '../base/counted.js';
import { BuildError, hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ContentSink, ContentSource, PutOptions } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestOf, hexOf, type Digest } from '../oci/digest.js';
import { isVerified, verified } from '../oci/verified.js';
import { BatchedFile } from './batched-file.js';
import { statRegularFile } from './regular-file.js';
import type { Holding } from './lease-file.js';
import type { StorePaths } from './paths.js';

const CHUNK = 1024 * 1024;
/** Bytes in buffers that may lie about, once written, for each blob that is being brought. */
const PASSED_BYTES = 8 * 1024 * 1024;

/** Blobs by digest in the store's image layout. Whatever stands under a digest landed there by rename, whole. */
export class BlobStore implements ContentSource, ContentSink {
  readonly #paths: StorePaths;
  readonly #temp: string;
  readonly #holding: Holding;
  /** Bytes by digest, of what this process has written and hashed: what it reads of that it does not hash again. */
  readonly #checked = new Map<Digest, number>();

  constructor(paths: StorePaths, holding: Holding) {
    this.#paths = paths;
    this.#temp = paths.temp(holding.leaseId);
    this.#holding = holding;
  }

  path(digest: Digest): string {
    return this.#paths.blob(digest);
  }

  /** If it is there, this job holds it from then on. */
  async has({ digest, size }: Descriptor, { signal }: Cancel): Promise<boolean> {
    signal.throwIfAborted();
    await this.#holding.hold('blob', digest);
    return (await this.size(digest)) === size;
  }

  /** Bytes of a blob; undefined when it is not there. */
  async size(digest: Digest): Promise<number | undefined> {
    return statSync(this.#paths.blob(digest), { throwIfNoEntry: false })?.size;
  }

  open(target: Descriptor, opts: ReadOptions): AsyncIterable<Buffer> {
    const bytes = this.#read(target, opts);
    return this.checkedFile(target) === undefined ? verified(bytes, target) : bytes;
  }

  checkedFile({ digest, size }: Descriptor): string | undefined {
    return this.#checked.get(digest) === size ? this.path(digest) : undefined;
  }

  async *#read(target: Descriptor, opts: ReadOptions): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* readChunks(this.#paths.blob(target.digest), opts);
    } catch (error) {
      throw hasCode(error, 'ENOENT') ? notFound(target.digest, error) : error;
    }
  }

  /** A small document, checked against its digest. Throws BLOB_NOT_FOUND, BLOB_CORRUPT, IMAGE_INVALID (too large). */
  async readDocument({ digest }: Descriptor, { signal }: Cancel): Promise<Buffer> {
    signal.throwIfAborted();
    const size = await this.size(digest);
    if (size === undefined) throw notFound(digest);
    if (size > limits.documentBytes) {
      throw new BuildError(
        'IMAGE_INVALID',
        `document \`${digest}\` has ${size} bytes, more than ${limits.documentBytes}`,
      );
    }
    const bytes = readFileSync(this.#paths.blob(digest));
    if (digestOf(bytes) !== digest) {
      throw new BuildError('BLOB_CORRUPT', `document \`${digest}\` in the store is damaged`, {
        hint: 'build or fetch the image again',
      });
    }
    return bytes;
  }

  async put(target: Descriptor, source: ContentSource, opts: PutOptions): Promise<void> {
    try {
      await this.#take(target, source, opts);
    } catch (error) {
      // A source that has several places to read from, such as a registry with mirrors, now takes another one.
      if (!(error instanceof BuildError) || error.code !== 'BLOB_CORRUPT') throw error;
      await this.#take(target, source, opts);
    }
  }

  /** Where a blob may lie while `put` brings it: a file that grows until it takes its place, or goes if that fails. */
  growing(digest: Digest): string {
    return path.join(this.#temp, `growing-${hexOf(digest)}`);
  }

  async #take(target: Descriptor, source: ContentSource, opts: PutOptions): Promise<void> {
    const content = source.open(target, opts);
    const known = isVerified(content, target) ? target.digest : undefined;
    const temp = await this.#createGrowing(target.digest);
    const written = await this.#write(temp, counted(content, opts.onProgress), opts, known);
    if (written.digest !== target.digest || written.size !== target.size) {
      await written.discard();
      throw new BuildError('BLOB_CORRUPT', `blob \`${target.digest}\` has other bytes: \`${written.digest}\``);
    }
    await written.commit();
  }

  async putBytes(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    await this.#holding.hold('blob', digest);
    if (await this.#holds(digest, bytes)) return digest;
    const { temp, handle } = await this.#create();
    try {
      await handle.writeFile(bytes);
    } finally {
      await handle.close();
    }
    await this.#land(temp, digest, bytes.byteLength);
    return digest;
  }

  /** Whether the very bytes are there: a document that was damaged is mended by writing it again. */
  async #holds(digest: Digest, bytes: Uint8Array): Promise<boolean> {
    if ((await this.size(digest)) !== bytes.byteLength) return false;
    return readFileSync(this.#paths.blob(digest)).equals(bytes);
  }

  /** Writes bytes whose digest is not known yet. Nothing stands in the store until `commit`. */
  async write(content: AsyncIterable<Uint8Array>, opts: Cancel): Promise<WrittenBlob> {
    return await this.#write(await this.#create(), content, opts);
  }

  /** `known`: the digest, of content that checks itself. */
  async #write(
    { temp, handle }: TempFile,
    content: AsyncIterable<Uint8Array>,
    { signal }: Cancel,
    known?: Digest,
  ): Promise<WrittenBlob> {
    const hash = known === undefined ? createHash('sha256') : undefined;
    let size = 0;
    try {
      const file = new BatchedFile(handle);
      let passed = 0;
      for await (const chunk of content) {
        signal.throwIfAborted();
        hash?.update(chunk);
        size += chunk.byteLength;
        await file.write(chunk);
        passed += chunk.byteLength;
        if (passed < PASSED_BYTES) continue;
        collectNewGarbage();
        passed = 0;
      }
      await file.flush();
      await handle.close();
    } catch (error) {
      await handle.close();
      await rm(temp, { force: true });
      throw error;
    }
    const digest = known ?? (`sha256:${hash!.digest('hex')}` as Digest);
    return {
      digest,
      size,
      commit: () => this.#land(temp, digest, size),
      discard: () => rm(temp, { force: true }),
    };
  }

  /** Path for a file that this job is about to write and then `adopt`. Its folder exists. */
  async tempPath(): Promise<string> {
    await mkdir(this.#temp, { recursive: true });
    return path.join(this.#temp, randomBytes(8).toString('hex'));
  }

  /** Takes a finished file made at a `tempPath` in under the digest that its writer computed, with its size. */
  async adopt(temp: string, digest: Digest, size: number): Promise<void> {
    await this.#land(temp, digest, size);
  }

  /**
   * Takes a file from outside in, checked. On file systems that can, no byte is copied twice (reflink).
   * The copy is verified, not the original: the original may change meanwhile.
   */
  async copyIn(file: string, target: Descriptor, opts: Cancel): Promise<void> {
    const temp = await this.tempPath();
    try {
      statRegularFile(file);
      await copyFile(file, temp, constants.COPYFILE_FICLONE);
      for await (const chunk of verified(readChunks(temp, opts), target)) void chunk;
      await this.#land(temp, target.digest, target.size);
    } catch (error) {
      await rm(temp, { force: true });
      throw hasCode(error, 'ENOENT') ? notFound(target.digest, error) : error;
    }
  }

  async #create(): Promise<TempFile> {
    const temp = await this.tempPath();
    return { temp, handle: await open(temp, 'wx', 0o644) };
  }

  /** Under the name that others know, unless the same blob is brought a second time meanwhile. */
  async #createGrowing(digest: Digest): Promise<TempFile> {
    await mkdir(this.#temp, { recursive: true });
    const temp = this.growing(digest);
    try {
      return { temp, handle: await open(temp, 'wx', 0o644) };
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return await this.#create();
      throw error;
    }
  }

  /** Its bytes are known to hash to `digest`. */
  async #land(temp: string, digest: Digest, size: number): Promise<void> {
    await this.#holding.hold('blob', digest);
    await rename(temp, this.#paths.blob(digest));
    this.#checked.set(digest, size);
  }
}

interface TempFile {
  readonly temp: string;
  readonly handle: FileHandle;
}

export interface WrittenBlob {
  readonly digest: Digest;
  readonly size: number;
  /** Puts the blob in its place. */
  commit(): Promise<void>;
  discard(): Promise<void>;
}

export interface ReadOptions extends Cancel {
  /** A chunk is valid only until the next one is asked for: who looks at the bytes and lets them go spares the memory. */
  readonly passing?: boolean;
}

interface Range {
  readonly start?: number;
  readonly length?: number;
}

/** The bytes of a file in order, in chunks of a megabyte at most; all of it, or `length` bytes from `start`. */
export async function* readChunks(
  file: string,
  { signal, start = 0, length = Infinity, passing = false }: ReadOptions & Range,
): AsyncGenerator<Buffer, void, undefined> {
  const handle = await open(file, 'r');
  const own = passing ? Buffer.allocUnsafeSlow(CHUNK) : undefined;
  try {
    for (let done = 0; done < length;) {
      signal.throwIfAborted();
      const size = Math.min(CHUNK, length - done);
      const { bytesRead, buffer } = await handle.read(own ?? Buffer.allocUnsafe(size), 0, size, start + done);
      if (bytesRead === 0) return;
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

function notFound(digest: Digest, cause?: unknown): BuildError {
  return new BuildError('BLOB_NOT_FOUND', `blob \`${digest}\` is not there`, { cause });
}
