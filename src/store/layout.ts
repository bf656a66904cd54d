import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../base/abort.js';
import { BuildError, hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ContentSource } from '../oci/content.js';
import { chooseImage, type WantedImage } from '../oci/choose-image.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestOf, hexOf, type Digest } from '../oci/digest.js';
import { parseIndex } from '../oci/documents.js';
import { verified } from '../oci/verified.js';
import { readChunks } from './blobs.js';
import { statRegularFile } from './regular-file.js';

/** Somebody's OCI image layout on disk, read only and not trusted. */
export class ImageLayout implements ContentSource {
  constructor(readonly dir: string) {}

  /** What its index has. Throws BASE_NOT_FOUND when there is no layout. */
  async manifests(): Promise<readonly Descriptor[]> {
    return parseIndex(await this.#document('index.json'), `the index of the layout \`${this.dir}\``).manifests;
  }

  /** The image that `chooseImage` chooses from the index. Throws BASE_NOT_FOUND, with what the layout has instead. */
  async resolve(wanted: WantedImage): Promise<Descriptor> {
    const how = 'name one with `:TAG` or `@sha256:…` after the directory';
    return chooseImage(await this.manifests(), wanted, `the layout \`${this.dir}\``, how);
  }

  /** Whether a blob of that size is there. */
  async has({ digest, size }: Descriptor, { signal }: Cancel): Promise<boolean> {
    signal.throwIfAborted();
    try {
      const stats = statSync(this.path(digest));
      return stats.isFile() && stats.size === size;
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
  }

  /** A small document by digest, checked. */
  async readDocument({ digest }: Descriptor, { signal }: Cancel): Promise<Buffer> {
    signal.throwIfAborted();
    const bytes = await this.#document(path.join('blobs', 'sha256', hexOf(digest)));
    if (digestOf(bytes) !== digest) {
      throw new BuildError('BLOB_CORRUPT', `blob \`${digest}\` of the layout \`${this.dir}\` is damaged`);
    }
    return bytes;
  }

  path(digest: Digest): string {
    return path.join(this.dir, 'blobs', 'sha256', hexOf(digest));
  }

  open(target: Descriptor, opts: Cancel): AsyncIterable<Buffer> {
    return verified(this.#read(this.path(target.digest), opts), target);
  }

  async *#read(file: string, opts: Cancel): AsyncGenerator<Buffer, void, undefined> {
    try {
      statRegularFile(file);
      yield* readChunks(file, opts);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
      const name = path.basename(file);
      throw new BuildError('BLOB_NOT_FOUND', `the layout \`${this.dir}\` has no blob \`${name}\``, { cause: error });
    }
  }

  async #document(name: string): Promise<Buffer> {
    const file = path.join(this.dir, name);
    try {
      const { size } = statRegularFile(file);
      if (size > limits.documentBytes) {
        throw new BuildError('IMAGE_INVALID', `\`${file}\` has ${size} bytes, more than ${limits.documentBytes}`);
      }
      return readFileSync(file);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
      throw new BuildError('BASE_NOT_FOUND', `\`${this.dir}\` is not a whole OCI image layout: no \`${name}\``, {
        hint: 'an image layout is a directory with `oci-layout`, `index.json` and `blobs`',
        cause: error,
      });
    }
  }
}
