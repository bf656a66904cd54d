import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { hexOf, isDigest } from '../oci/digest.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';

export type Compression = 'gzip' | 'zstd' | 'uncompressed';

export interface CompressionOptions {
  readonly type: Compression;
  /** Within `compressionLevels`; of no effect on `uncompressed`. */
  readonly level: number;
  /** Compressed layers of a base image too, which otherwise keep their blobs. */
  readonly force: boolean;
  /** The family that the media types are of. Docker's manifests have no annotations. */
  readonly mediaTypes: 'oci' | 'docker';
}

const TYPES: Readonly<Record<CompressionOptions['mediaTypes'], Readonly<Record<Compression, string>>>> = {
  oci: { uncompressed: mediaTypes.layer, gzip: mediaTypes.layerGzip, zstd: mediaTypes.layerZstd },
  docker: { uncompressed: mediaTypes.dockerLayer, gzip: mediaTypes.dockerLayerGzip, zstd: mediaTypes.dockerLayerZstd },
};
const COMPRESSIONS = ['uncompressed', 'gzip', 'zstd'] as const;

/** A blob in place of the layer's own. */
export interface RecodedForm {
  readonly kind: 'recoded';
  /** The descriptor but for what the bytes decide. */
  readonly described: Omit<Descriptor, 'digest' | 'size'>;
  /** Name that the blob is remembered under. */
  readonly fact: string;
}

/** How a layer is to lie in an image: `kept` with its own blob, under a media type of the family that is asked for. */
export type LayerForm = { readonly kind: 'kept'; readonly descriptor: Descriptor } | RecodedForm;

/**
 * As BuildKit does (`cache/remote.go`, `util/compression`), except that a layer which lies uncompressed counts as made
 * here: that is how Slipway keeps its own layers, also those of a base that was built here. A foreign layer, or what is
 * no layer at all, keeps its media type too.
 */
export function formOf({ diffId, blob }: LayerFact, options: CompressionOptions): LayerForm {
  const { type, level, force } = options;
  const { mediaType: _, annotations, ...rest } = blob;
  const described = (compression: Compression): Omit<Descriptor, 'digest' | 'size'> => ({
    mediaType: TYPES[options.mediaTypes][compression],
    ...(annotations && options.mediaTypes === 'oci' && { annotations }),
  });
  const is = compressionOf(blob);
  if (is === undefined) return { kind: 'kept', descriptor: blob };
  if (is === type || (is !== 'uncompressed' && !force)) {
    return { kind: 'kept', descriptor: { ...rest, ...described(is) } };
  }
  const fact = `${type === 'uncompressed' ? type : `${type}-${level}`}-${hexOf(diffId)}`;
  return { kind: 'recoded', described: described(type), fact };
}

/** The layer as it lies, under OCI's media type: there are programs that take no manifest with types of both families. */
export function inOciTypes(blob: Descriptor): Descriptor {
  const is = compressionOf(blob);
  return is === undefined ? blob : { ...blob, mediaType: TYPES.oci[is] };
}

/** Undefined for a foreign layer, and for what is no layer. */
function compressionOf({ mediaType }: Descriptor): Compression | undefined {
  return COMPRESSIONS.find((one) => TYPES.oci[one] === mediaType || TYPES.docker[one] === mediaType);
}

/** The form as it was made before, if it was; whether its blob is still anywhere is not known. */
export async function recallForm(
  { fact, described }: RecodedForm,
  { records }: Store,
): Promise<Descriptor | undefined> {
  const known = (await records.fact(fact)) as Descriptor | undefined;
  if (!known || !isDigest(known.digest) || !Number.isSafeInteger(known.size)) return undefined;
  return { ...described, digest: known.digest, size: known.size };
}
