import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { decompress, detectCompression, MAGIC_BYTES, type Compression } from '../layer/compression.js';
import { annotationKeys, mediaTypes, type Descriptor, type Manifest } from '../oci/descriptor.js';
import { digestOf, type Digest, type DiffId } from '../oci/digest.js';
import { parseImageConfig } from '../oci/documents.js';
import type { TarMember, TarMembers } from './tar-members.js';

const images = v.pipe(
  v.array(
    v.looseObject({
      Config: v.string(),
      RepoTags: v.nullish(v.array(v.string())),
      Layers: v.nullish(v.pipe(v.array(v.string()), v.maxLength(limits.layers))),
    }),
  ),
  v.maxLength(limits.layers),
);

/** What a `docker save` archive would be as a layout: the index, and where the bytes of its blobs are. */
export interface DockerArchive {
  readonly manifests: readonly Descriptor[];
  readonly blobs: ReadonlyMap<Digest, Buffer | TarMember>;
}

/**
 * Reads the `manifest.json` of an archive that `docker save`, podman or kaniko wrote; undefined when there is none. The
 * images get manifests, which such archives do not have. A layer that is no compressed tar is what its diffID says,
 * and checked when it is read; a compressed one is read now. Throws IMAGE_INVALID, ARCHIVE_INVALID, BLOB_CORRUPT.
 */
export async function readDockerArchive(
  members: TarMembers,
  name: string,
  opts: Cancel,
): Promise<DockerArchive | undefined> {
  const bytes = await members.readDocument('manifest.json', opts);
  if (!bytes) return undefined;
  const reader = new DockerArchiveReader(members, name, opts);
  const manifests: Descriptor[] = [];
  for (const { Config, RepoTags, Layers } of parseImages(bytes, name)) {
    const target = await reader.image(Config, Layers ?? []);
    const names = RepoTags ?? [];
    if (names.length === 0) manifests.push(target);
    for (const one of names) manifests.push({ ...target, annotations: { [annotationKeys.imageName]: one } });
  }
  return { manifests, blobs: reader.blobs };
}

class DockerArchiveReader {
  readonly blobs = new Map<Digest, Buffer | TarMember>();
  readonly #members: TarMembers;
  readonly #name: string;
  readonly #opts: Cancel;
  /** By where they begin: several images share layers, and the old form links them. */
  readonly #layers = new Map<number, Descriptor>();

  constructor(members: TarMembers, name: string, opts: Cancel) {
    this.#members = members;
    this.#name = name;
    this.#opts = opts;
  }

  async image(configName: string, layerNames: readonly string[]): Promise<Descriptor> {
    const bytes = await this.#members.readDocument(configName, this.#opts);
    if (!bytes) throw this.#missing(configName);
    const diffIds = parseImageConfig(bytes, `\`${configName}\` of \`${this.#name}\``).rootfs.diff_ids;
    if (diffIds.length !== layerNames.length) {
      throw new BuildError(
        'IMAGE_INVALID',
        `\`${this.#name}\` lists ${layerNames.length} layers for \`${configName}\`, which has ${diffIds.length} diffIDs`,
      );
    }
    const layers: Descriptor[] = [];
    for (const [i, layerName] of layerNames.entries()) layers.push(await this.#layer(layerName, diffIds[i]!));
    const config = this.#add(mediaTypes.config, bytes);
    const manifest: Manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers };
    return this.#add(mediaTypes.manifest, Buffer.from(JSON.stringify(manifest)));
  }

  async #layer(name: string, diffId: DiffId): Promise<Descriptor> {
    const member = this.#members.find(name);
    if (!member) throw this.#missing(name);
    const compression = await this.#compressionOf(member);
    if (compression === 'none') {
      const digest = diffId as string as Digest;
      this.blobs.set(digest, member);
      return { mediaType: mediaTypes.layer, digest, size: member.size };
    }
    const known = this.#layers.get(member.offset);
    if (known) return known;
    const mediaType = MEDIA_TYPES[compression];
    if (!mediaType) {
      throw new BuildError('UNSUPPORTED', `layer \`${name}\` of \`${this.#name}\` is compressed with ${compression}`, {
        hint: 'no media type stands for that; the types that images have are plain, gzip and zstd',
      });
    }
    const layer = { mediaType, digest: await this.#measure(member, name, diffId), size: member.size };
    this.#layers.set(member.offset, layer);
    this.blobs.set(layer.digest, member);
    return layer;
  }

  /** The digest of a compressed layer, which must unpack to `diffId`. */
  async #measure(member: TarMember, name: string, diffId: DiffId): Promise<Digest> {
    const [packed, plain] = [createHash('sha256'), createHash('sha256')];
    const content = this.#members.read(member, this.#opts);
    async function* hashed(): AsyncGenerator<Buffer, void, undefined> {
      for await (const chunk of content) {
        packed.update(chunk);
        yield chunk;
      }
    }
    for await (const chunk of decompress(hashed())) plain.update(chunk);
    const found = `sha256:${plain.digest('hex')}`;
    if (found !== diffId) {
      throw new BuildError('BLOB_CORRUPT', `layer \`${name}\` of \`${this.#name}\` is \`${found}\`, not \`${diffId}\``);
    }
    return `sha256:${packed.digest('hex')}` as Digest;
  }

  async #compressionOf({ offset, size }: TarMember): Promise<Compression> {
    const head = { offset, size: Math.min(size, MAGIC_BYTES) };
    const chunks: Buffer[] = [];
    for await (const chunk of this.#members.read(head, this.#opts)) chunks.push(chunk);
    return detectCompression(Buffer.concat(chunks));
  }

  #add(mediaType: string, bytes: Buffer): Descriptor {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  #missing(name: string): BuildError {
    return new BuildError('IMAGE_INVALID', `\`${this.#name}\` has no \`${name}\`, which its \`manifest.json\` names`);
  }
}

const MEDIA_TYPES: Partial<Record<Compression, string>> = {
  gzip: mediaTypes.layerGzip,
  zstd: mediaTypes.layerZstd,
};

function parseImages(bytes: Buffer, name: string): v.InferOutput<typeof images> {
  const what = `\`manifest.json\` of \`${name}\``;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new BuildError('IMAGE_INVALID', `${what} is not JSON`, { cause: error });
  }
  const result = v.safeParse(images, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new BuildError('IMAGE_INVALID', `${what} is not valid at \`${v.getDotPath(issue) ?? ''}\`: ${issue.message}`);
}
