import { mediaTypes, type Descriptor, type Index, type Manifest } from '../../oci/descriptor.js';
import { hexOf, type Digest } from '../../oci/digest.js';
import type { Platform } from '../../oci/platform.js';
import type { Reference } from '../../oci/reference.js';
import type { BlobStore } from '../../store/blobs.js';
import type { Annotations } from '../annotations.js';
import type { MadeImage } from '../make-image.js';
import type { ProvenanceOptions } from './options.js';
import { withLayers, type DigestSet, type ProvenancePredicate } from './predicate.js';
import { imagePurl } from './purl.js';
import { toSlsa02 } from './slsa02.js';

/** What there is to attest, and how. */
export interface Provenance {
  readonly predicate: ProvenancePredicate;
  readonly options: ProvenanceOptions;
  /** Of the image. */
  readonly platform: Platform;
}

/** Whom a statement speaks of. */
export interface Subject {
  readonly name: string;
  readonly digest: DigestSet;
}

export interface AttestOptions {
  /** Names that the image is given; without any the statement speaks of `_`. */
  readonly names: readonly Reference[];
  /** The attestation as an artifact whose `subject` is the image, as BuildKit has it since 0.32; else as an image of sorts. */
  readonly ociArtifact: boolean;
  /** Of the index. */
  readonly annotations?: Annotations;
  /** Of the image's manifest in it. */
  readonly descriptorAnnotations?: Annotations;
}

/** The reserved name of an in-toto subject that has none. */
const UNNAMED = '_';
const UNKNOWN: Platform = { architecture: 'unknown', os: 'unknown' };
const ARTIFACT_TYPE = 'application/vnd.docker.attestation.manifest.v1+json';
const EMPTY_CONFIG = { mediaType: 'application/vnd.oci.empty.v1+json', content: '{}' };

/**
 * Writes the provenance of an image into the store, and an index of both: BuildKit's form, with a manifest for the
 * platform `unknown/unknown` that names the image's manifest in its annotations.
 */
export async function attestProvenance(
  image: MadeImage,
  { predicate, options, platform }: Provenance,
  { names, ociArtifact, annotations = {}, descriptorAnnotations = {} }: AttestOptions,
  blobs: BlobStore,
): Promise<MadeImage> {
  const digest = { sha256: hexOf(image.manifest.digest) };
  const named = names.map((name): Subject => ({ name: imagePurl('docker', name, platform), digest }));
  const subjects = named.length > 0 ? named : [{ name: UNNAMED, digest }];
  const statement = statementOf(withLayers(predicate, image.layers), options, subjects);
  const layer = await put(mediaTypes.inToto, JSON.stringify(statement), blobs);
  const config = ociArtifact ? await emptyConfig(blobs) : await imageConfig(layer.digest, blobs);
  const manifest: Manifest & { readonly subject?: Descriptor } = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    ...(ociArtifact && { artifactType: ARTIFACT_TYPE }),
    config,
    layers: [{ ...layer, annotations: { 'in-toto.io/predicate-type': statement.predicateType } }],
    ...(ociArtifact && { subject: bare(image.manifest) }),
  };
  const attestation = await put(mediaTypes.manifest, JSON.stringify(manifest, undefined, 2), blobs);
  const index: Index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [
      {
        ...bare(image.manifest),
        ...(Object.keys(descriptorAnnotations).length > 0 && { annotations: descriptorAnnotations }),
        platform: shown(platform),
      },
      {
        ...attestation,
        annotations: {
          'vnd.docker.reference.digest': image.manifest.digest,
          'vnd.docker.reference.type': 'attestation-manifest',
        },
        platform: UNKNOWN,
      },
    ],
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
  const { data: _, ...configBlob } = config;
  const attested = {
    index: await put(mediaTypes.index, JSON.stringify(index, undefined, 2), blobs),
    documents: [attestation, configBlob, layer],
  };
  return { ...image, attested };
}

/** in-toto's `Statement`, version 1. */
export interface Statement {
  readonly _type: string;
  readonly predicateType: string;
  readonly subject: readonly Subject[];
  readonly predicate: object;
}

/** The same about files: its subjects are named by who writes them. */
export function fileStatement({ predicate, options }: Provenance): Statement {
  return statementOf(predicate, options, []);
}

/** The in-toto statement that `predicate` is true of the subjects. */
function statementOf(
  predicate: ProvenancePredicate,
  { version }: ProvenanceOptions,
  subject: readonly Subject[],
): Statement {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: `https://slsa.dev/provenance/${version}`,
    subject,
    predicate: version === 'v1' ? predicate : toSlsa02(predicate),
  };
}

async function emptyConfig(blobs: BlobStore): Promise<Descriptor & { readonly data: string }> {
  const { mediaType, content } = EMPTY_CONFIG;
  return { ...(await put(mediaType, content, blobs)), data: Buffer.from(content).toString('base64') };
}

/** What makes the attestation look like an image to those that know nothing else. */
async function imageConfig(layer: Digest, blobs: BlobStore): Promise<Descriptor & { readonly data?: never }> {
  const config = { ...UNKNOWN, config: {}, rootfs: { type: 'layers', diff_ids: [layer] } };
  return await put(mediaTypes.config, JSON.stringify(config), blobs);
}

async function put(mediaType: string, content: string, blobs: BlobStore): Promise<Descriptor> {
  const bytes = Buffer.from(content);
  return { mediaType, digest: await blobs.putBytes(bytes), size: bytes.byteLength };
}

function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** In the order of the specification. */
function shown({ architecture, os, variant }: Platform): Platform {
  return { architecture, os, ...(variant !== undefined && { variant }) };
}
