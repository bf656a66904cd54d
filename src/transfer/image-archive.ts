import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { chooseImage, type WantedImage } from '../oci/choose-image.js';
import type { ContentSource } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import { hexOf, type Digest } from '../oci/digest.js';
import { parseIndex } from '../oci/documents.js';
import { verified } from '../oci/verified.js';
import { readDockerArchive } from './docker-archive.js';
import { HeldDocument } from './held-document.js';
import { TarMembers, type TarMember } from './tar-members.js';

/**
 * An archive of images, read in place: an image layout as a tar (`type=oci`), or what `docker save` writes, in its old
 * form and in its new one, which is a layout too. Nothing in it is trusted.
 */
export class ImageArchive implements ContentSource {
  /** As the index of a layout has them, with names as annotations; for the old form made from its `manifest.json`. */
  readonly manifests: readonly Descriptor[];
  readonly #members: TarMembers;
  readonly #blobs: ReadonlyMap<Digest, Buffer | TarMember>;
  readonly #name: string;

  private constructor(
    name: string,
    members: TarMembers,
    manifests: readonly Descriptor[],
    blobs: ReadonlyMap<Digest, Buffer | TarMember>,
  ) {
    this.#name = name;
    this.#members = members;
    this.manifests = manifests;
    this.#blobs = blobs;
  }

  /**
   * `file` is a regular file, an uncompressed tar; `name` is how the user calls it. Throws ARCHIVE_INVALID for what is
   * no sound tar, IMAGE_INVALID for one whose documents are not sound or missing.
   */
  static async open(file: string, name: string, opts: Cancel): Promise<ImageArchive> {
    const members = await TarMembers.scan(file, opts);
    const index = members.find('oci-layout') && (await members.readDocument('index.json', opts));
    if (index) {
      const { manifests } = parseIndex(index, `\`index.json\` of \`${name}\``);
      return new ImageArchive(name, members, manifests, new Map());
    }
    const docker = await readDockerArchive(members, name, opts);
    if (docker) return new ImageArchive(name, members, docker.manifests, docker.blobs);
    throw new BuildError('IMAGE_INVALID', `\`${name}\` is no archive of images: it has no \`manifest.json\``, {
      hint: 'give what `docker save` or `slipway save` wrote, or an OCI image layout as a tar',
    });
  }

  /** As `chooseImage` chooses. Throws BASE_NOT_FOUND, with what the archive has instead. */
  resolve(wanted: WantedImage): Descriptor {
    return chooseImage(this.manifests, wanted, `the archive \`${this.#name}\``, 'name one with `FILE:NAME`');
  }

  async has(target: Descriptor, { signal }: Cancel): Promise<boolean> {
    signal.throwIfAborted();
    return sizeOf(this.#find(target)) === target.size;
  }

  open(target: Descriptor, opts: Cancel): AsyncIterable<Buffer> {
    const found = this.#find(target);
    if (Buffer.isBuffer(found)) return new HeldDocument(found).open(target);
    return verified(this.#read(found, target, opts), target);
  }

  async readDocument(target: Descriptor, opts: Cancel): Promise<Buffer> {
    if (target.size > limits.documentBytes) {
      const { digest, size } = target;
      throw new BuildError(
        'IMAGE_INVALID',
        `document \`${digest}\` has ${size} bytes, more than ${limits.documentBytes}`,
      );
    }
    const chunks: Buffer[] = [];
    for await (const chunk of this.open(target, opts)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  #find({ digest }: Descriptor): Buffer | TarMember | undefined {
    return this.#blobs.get(digest) ?? this.#members.find(`blobs/sha256/${hexOf(digest)}`);
  }

  async *#read(
    member: TarMember | undefined,
    { digest }: Descriptor,
    opts: Cancel,
  ): AsyncGenerator<Buffer, void, undefined> {
    if (!member) throw new BuildError('BLOB_NOT_FOUND', `the archive \`${this.#name}\` has no blob \`${digest}\``);
    yield* this.#members.read(member, opts);
  }
}

function sizeOf(found: Buffer | TarMember | undefined): number | undefined {
  return Buffer.isBuffer(found) ? found.length : found?.size;
}
