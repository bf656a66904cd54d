import { mediaTypes, type Descriptor, type Manifest } from '../oci/descriptor.js';
import type { HistoryEntry, ImageConfig } from '../oci/image-config.js';
import type { LayerFact } from '../store/refs.js';
import type { BlobStore } from '../store/blobs.js';
import type { Annotations } from './annotations.js';
import { encodeConfig } from './encode-config.js';
import { finishConfig } from './finish-config.js';
import { inOciTypes } from './layer-form.js';

/** A layer of the result. */
export interface ResultLayer extends LayerFact {
  /** Bytes of the uncompressed tar. */
  readonly size: number;
  /** Milliseconds since 1970; absent for a base image's. */
  readonly createdAt?: number;
  /** What made it, for layers without an instruction of their own. */
  readonly description?: string;
}

/** What a build gives: the layers, lowest first, and the config without them. */
export interface BuiltImage {
  readonly layers: readonly ResultLayer[];
  readonly config: ImageConfig;
  /** Of the image that all of it stands on. */
  readonly baseHistory: readonly HistoryEntry[];
}

export interface MadeImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  /** As `manifest` lists them. */
  readonly layers: readonly Descriptor[];
  /** Where the image carries an attestation: what stands for both, and what belongs to it beside the image. */
  readonly attested?: { readonly index: Descriptor; readonly documents: readonly Descriptor[] };
  /** Of the descriptor that stands for it where it was exported to. */
  readonly descriptorAnnotations?: Annotations;
}

/** What stands for an image: its manifest, or the index of manifest and attestation. */
export function targetOf({ manifest, attested }: MadeImage): Descriptor {
  return attested?.index ?? manifest;
}

/** Every blob and document that an image consists of. */
export function blobsOf({ manifest, config, layers, attested }: MadeImage): readonly Descriptor[] {
  return [...(attested ? [attested.index, ...attested.documents] : []), manifest, config, ...layers];
}

/**
 * Writes config and manifest into the store. The config depends on the build alone, so it is one for every form that
 * the layers are exported in. `epoch`: seconds since 1970 that stand in for every time (SOURCE_DATE_EPOCH).
 */
export async function makeImage(
  built: BuiltImage,
  blobs: BlobStore,
  epoch: number | undefined,
  annotations: Annotations = {},
): Promise<MadeImage> {
  const config = finishConfig(built, epoch);
  const bytes = Buffer.from(encodeConfig(config));
  const digest = await blobs.putBytes(bytes);
  const descriptor = { mediaType: mediaTypes.config, digest, size: bytes.byteLength };
  return await makeManifest(
    descriptor,
    built.layers.map(({ blob }) => inOciTypes(blob)),
    blobs,
    annotations,
  );
}

/** Writes a manifest of `family` over a config and layers. Docker's has no annotations: they are left out of it. */
export async function makeManifest(
  config: Descriptor,
  layers: readonly Descriptor[],
  blobs: BlobStore,
  annotations: Annotations = {},
  family: 'oci' | 'docker' = 'oci',
): Promise<MadeImage> {
  const mediaType = family === 'oci' ? mediaTypes.manifest : mediaTypes.dockerManifest;
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType,
    config,
    layers,
    ...(family === 'oci' && Object.keys(annotations).length > 0 && { annotations }),
  };
  const bytes = Buffer.from(JSON.stringify(manifest, undefined, 2));
  const digest = await blobs.putBytes(bytes);
  return { manifest: { mediaType, digest, size: bytes.byteLength }, config, layers };
}
