import { BuildError } from '../base/errors.js';
import { isIndexType, isManifestType, type Descriptor, type Manifest } from './descriptor.js';
import type { Cancel } from '../base/abort.js';
import type { ContentSource } from './content.js';
import { parseImageConfig, parseIndex, parseManifest } from './documents.js';
import type { ImageConfig } from './image-config.js';
import { formatPlatform, type Platform } from './platform.js';
import { choosePlatform } from './platform-choice.js';

/** What gives small documents by digest, each checked against it. */
export type DocumentSource = Pick<ContentSource, 'readDocument'>;

/** An image as a read-only view: its manifest and config, no layer read. */
export interface Image {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}

/**
 * Reads the image for `platform` under a descriptor of a manifest or an index. Throws IMAGE_INVALID when the documents
 * contradict each other, BASE_NOT_FOUND when the index has no such platform.
 */
export async function readImage(
  source: DocumentSource,
  target: Descriptor,
  platform: Platform,
  cancel: Cancel,
): Promise<Image> {
  if (isIndexType(target.mediaType))
    return await readImage(source, await select(source, target, platform, cancel), platform, cancel);
  if (!isManifestType(target.mediaType)) {
    throw new BuildError('IMAGE_INVALID', `\`${target.digest}\` is a \`${target.mediaType}\`, not an image`);
  }
  const manifest = parseManifest(await source.readDocument(target, cancel), `manifest \`${target.digest}\``);
  const config = parseImageConfig(
    await source.readDocument(manifest.config, cancel),
    `image config \`${manifest.config.digest}\``,
  );
  if (config.rootfs.diff_ids.length !== manifest.layers.length) {
    throw new BuildError(
      'IMAGE_INVALID',
      `image \`${target.digest}\` has ${manifest.layers.length} layers but ${config.rootfs.diff_ids.length} diffIDs`,
    );
  }
  return { descriptor: target, manifest, config };
}

/** BuildKit's mark of a manifest that says something about an image beside it. */
function isAttestation({ platform }: Descriptor): boolean {
  return platform?.os === 'unknown' && platform.architecture === 'unknown';
}

async function select(
  source: DocumentSource,
  target: Descriptor,
  platform: Platform,
  cancel: Cancel,
): Promise<Descriptor> {
  const { manifests } = parseIndex(await source.readDocument(target, cancel), `index \`${target.digest}\``);
  const documents = manifests.filter((one) => isManifestType(one.mediaType) || isIndexType(one.mediaType));
  const images = documents.filter((one) => !isAttestation(one));
  const found =
    choosePlatform(images, platform) ?? (images.length === 1 && !images[0]!.platform ? images[0] : undefined);
  if (found) return found;
  const has = images.map((one) => (one.platform ? formatPlatform(one.platform) : 'unknown')).join(', ');
  throw new BuildError('BASE_NOT_FOUND', `no match for platform ${formatPlatform(platform)} in \`${target.digest}\``, {
    hint: `it has: ${has || 'no image'}`,
  });
}
