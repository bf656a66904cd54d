import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Cancel } from '../base/abort.js';
import { BuildError, hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ContentSource } from '../oci/content.js';
import { annotationKeys, type Descriptor } from '../oci/descriptor.js';
import { digestOf, hexOf, type Digest } from '../oci/digest.js';
import { parseIndex } from '../oci/documents.js';
import { verified } from '../oci/verified.js';
import { readChunks } from './blobs.js';
import { statRegularFile } from './regular-file.js';

/** Somebody's OCI image layout on disk, read only and not trusted. */
export class ImageLayout implements ContentSource {
  constructor(readonly dir: string) {}

  /**
   * The descriptor under a tag, a full name or a digest of the layout's index; with neither, `latest` or the only one.
   * Throws BASE_NOT_FOUND, with what the layout has instead.
   */
  async resolve(wanted: { readonly tag?: string; readonly digest?: Digest }): Promise<Descriptor> {
    const { manifests } = parseIndex(await this.#document('index.json'), `the index of the layout \`${this.dir}\``);
    const { tag, digest } = wanted;
    const match = manifests.filter((one) => {
      if (digest !== undefined) return one.digest === digest;
      return tag === undefined || namesOf(one).some((name) => name === tag || name.endsWith(`:${tag}`));
    });
    const latest = match.filter((one) => namesOf(one).some((name) => name === 'latest' || name.endsWith(':latest')));
    const distinct = new Map((match.length > 1 && latest.length > 0 ? latest : match).map((one) => [one.digest, one]));
    if (distinct.size === 1) return [...distinct.values()][0]!;
    const has = manifests.map((one) => namesOf(one)[0] ?? one.digest).join(', ') || 'nothing';
    const asked = digest ?? tag;
    throw new BuildError(
      'BASE_NOT_FOUND',
      distinct.size === 0
        ? `the layout \`${this.dir}\` has no image${asked ? ` \`${asked}\`` : ''}`
        : `the layout \`${this.dir}\` has several images${asked ? ` named \`${asked}\`` : ''}`,
      { hint: `it has: ${has}; name one with \`oci-layout://${this.dir}:TAG\` or \`@sha256:…\`` },
    );
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
    await statRegularFile(file);
    yield* readChunks(file, opts);
  }

  async #document(name: string): Promise<Buffer> {
    const file = path.join(this.dir, name);
    try {
      const { size } = await statRegularFile(file);
      if (size > limits.documentBytes) {
        throw new BuildError('IMAGE_INVALID', `\`${file}\` has ${size} bytes, more than ${limits.documentBytes}`);
      }
      return await readFile(file);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
      throw new BuildError('BASE_NOT_FOUND', `\`${this.dir}\` is not a whole OCI image layout: no \`${name}\``, {
        hint: 'an image layout is a directory with `oci-layout`, `index.json` and `blobs`',
        cause: error,
      });
    }
  }
}

function namesOf(descriptor: Descriptor): readonly string[] {
  const { annotations } = descriptor;
  return [annotations?.[annotationKeys.refName], annotations?.[annotationKeys.imageName]].filter(
    (name) => name !== undefined,
  );
}
