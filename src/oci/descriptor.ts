import type { Digest } from './digest.js';
import type { Platform } from './platform.js';

/** OCI image-spec `descriptor.md`. `size` in bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
}

/** OCI image-spec `manifest.md`, and Docker's image manifest v2 schema 2, which has the same shape. */
export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** OCI image-spec `image-index.md`, and Docker's manifest list. */
export interface Index {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  inToto: 'application/vnd.in-toto+json',
} as const;

export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest;
}

/** Annotations that the OCI image layout uses for names. */
export const annotationKeys = {
  /** The tag, or any name, in an image layout's index. */
  refName: 'org.opencontainers.image.ref.name',
  /** The full reference, as containerd and BuildKit write it. */
  imageName: 'io.containerd.image.name',
  created: 'org.opencontainers.image.created',
} as const;

/** A layer that lies on a server of its own (`urls`) and that registries do not take: Windows bases have such. */
export function isForeignLayer(mediaType: string): boolean {
  return /^application\/vnd\.(oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/.test(mediaType);
}

/** A layer that is stored as the tar itself. */
export function isPlainLayer(mediaType: string): boolean {
  return mediaType === mediaTypes.layer || mediaType === mediaTypes.dockerLayer;
}
