import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { isIndexType, isManifestType, mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { digestOf, isDigest, type Digest } from '../oci/digest.js';
import { contentType, fetchDocument, tooLarge } from './download-document.js';
import { plainText } from './failure.js';
import type { Timing } from './retry.js';
import type { Endpoint } from './repository-endpoint.js';
import type { RegistryResponse } from './types.js';

/** All that a name can stand for. */
export const ACCEPT = [mediaTypes.index, mediaTypes.dockerIndex, mediaTypes.manifest, mediaTypes.dockerManifest].join(
  ', ',
);

/** Statuses of a HEAD after which a GET may still be answered. */
const HEAD_REFUSED = [400, 405, 406, 411, 415, 500, 501];

export interface ManifestTarget {
  readonly tag?: string;
  readonly digest?: Digest;
}

/**
 * What a tag or digest stands for, asked by HEAD, or by GET where that is not answered as it should be; then the bytes
 * are checked against the digest. Throws IMAGE_NOT_FOUND, IMAGE_INVALID, UNSUPPORTED for schema 1, BLOB_CORRUPT.
 */
export async function resolveManifest(
  endpoint: Endpoint,
  target: ManifestTarget,
  opts: Cancel & { readonly timing: Timing },
): Promise<Descriptor> {
  const doing = `resolving \`${endpoint.reference(target)}\``;
  const request = {
    to: `manifests/${target.digest ?? target.tag ?? 'latest'}`,
    headers: { accept: ACCEPT },
    doing,
    signal: opts.signal,
  };
  const head = await headManifest(endpoint, request);
  if (head !== undefined) {
    if (head.status === 404) throw notFound(endpoint, target);
    const described = fromHeaders(head.headers, target, doing);
    if (described !== undefined) return described;
  }
  const { status, headers, bytes } = await fetchDocument(endpoint, { ...request, expect: [200, 404] }, opts.timing);
  if (status === 404) throw notFound(endpoint, target);
  const digest = digestOf(bytes);
  const promised = target.digest ?? headers['docker-content-digest'];
  if (promised !== undefined && isDigest(promised) && promised !== digest) {
    throw new BuildError('BLOB_CORRUPT', `${doing}: what came hashes to \`${digest}\`, not to \`${promised}\``, {
      hint: 'the registry, or a proxy before it, gives other bytes than it says; nothing of them was used',
    });
  }
  return { mediaType: mediaTypeOf(bytes, contentType(headers), doing), digest, size: bytes.length };
}

type HeadAnswer = Pick<RegistryResponse, 'status' | 'headers'>;

/** Undefined when the registry does not answer HEAD, or denies it: the GET that follows says why. */
async function headManifest(
  endpoint: Endpoint,
  request: { to: string; headers: Record<string, string>; doing: string; signal: AbortSignal },
): Promise<HeadAnswer | undefined> {
  try {
    const response = await endpoint.send({ ...request, method: 'HEAD', expect: [200, 404, ...HEAD_REFUSED] });
    await response.discard();
    return HEAD_REFUSED.includes(response.status) ? undefined : response;
  } catch (error) {
    if (error instanceof BuildError && error.code === 'REGISTRY_DENIED') return undefined;
    throw error;
  }
}

/** The descriptor that the headers give; undefined when they do not say enough, or not what was asked for. */
function fromHeaders(
  headers: RegistryResponse['headers'],
  target: ManifestTarget,
  doing: string,
): Descriptor | undefined {
  const digest = headers['docker-content-digest'];
  const length = headers['content-length'] ?? '';
  const mediaType = contentType(headers);
  if (mediaType !== undefined && isSchema1(mediaType)) throw schema1(doing);
  if (digest === undefined || !isDigest(digest) || (target.digest ?? digest) !== digest) return undefined;
  if (mediaType === undefined || !isKnown(mediaType) || !/^[1-9]\d*$/.test(length)) return undefined;
  if (Number(length) > limits.documentBytes) throw tooLarge(doing);
  return { mediaType, digest, size: Number(length) };
}

/** What the document says it is; else what the registry says; else what it looks like. */
function mediaTypeOf(bytes: Buffer, said: string | undefined, doing: string): string {
  const own = parseObject(bytes, doing);
  if (own['schemaVersion'] === 1 || (said !== undefined && isSchema1(said))) throw schema1(doing);
  const { mediaType } = own;
  if (typeof mediaType === 'string' && isKnown(mediaType)) return mediaType;
  if (typeof mediaType !== 'string') {
    if (said !== undefined && isKnown(said)) return said;
    if (Array.isArray(own['manifests'])) return mediaTypes.index;
    if (Array.isArray(own['layers']) && own['config'] !== undefined) return mediaTypes.manifest;
  }
  const what = typeof mediaType === 'string' ? mediaType : (said ?? 'document without a type');
  throw new BuildError('IMAGE_INVALID', `${doing}: a \`${plainText(what, [])}\` is neither a manifest nor an index`, {
    hint: 'the name stands for something that is not an image',
  });
}

function parseObject(bytes: Buffer, doing: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new BuildError('IMAGE_INVALID', `${doing}: the manifest is not JSON`, {
      hint: 'is this the address of a registry? a login page or a proxy may have answered',
      cause: error,
    });
  }
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new BuildError('IMAGE_INVALID', `${doing}: the manifest is not a JSON object`);
}

function isKnown(mediaType: string): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}

function isSchema1(mediaType: string): boolean {
  return mediaType.startsWith('application/vnd.docker.distribution.manifest.v1+');
}

function schema1(doing: string): BuildError {
  return new BuildError('UNSUPPORTED', `${doing}: it is an image of Docker's schema 1`, {
    hint: 'that form is obsolete; pull it with an old Docker and push it again, or take a newer tag',
  });
}

function notFound(endpoint: Endpoint, target: ManifestTarget): BuildError {
  return new BuildError('IMAGE_NOT_FOUND', `\`${endpoint.reference(target)}\` is not in the registry`, {
    hint: 'check the name and the tag; a private image may also need `slipway login`',
  });
}
