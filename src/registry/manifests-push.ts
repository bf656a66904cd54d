import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { Descriptor } from '../oci/descriptor.js';
import { isDigest } from '../oci/digest.js';
import type { Endpoint } from './repository-endpoint.js';
import type { RegistryResponse } from './types.js';

/**
 * Puts a manifest or index under its digest, or under `tag`, byte for byte; gives the headers of the answer. Throws
 * REGISTRY_FAILED when the registry says that it stored something else, or lacks what the manifest names.
 */
export async function putManifest(
  endpoint: Endpoint,
  target: Descriptor,
  bytes: Buffer,
  { tag, signal }: Cancel & { readonly tag?: string },
): Promise<RegistryResponse['headers']> {
  const doing = `pushing \`${endpoint.reference(tag === undefined ? { digest: target.digest } : { tag })}\``;
  const response = await endpoint.send({
    method: 'PUT',
    to: `manifests/${tag ?? target.digest}`,
    headers: { 'content-type': target.mediaType },
    body: () => bytes,
    contentLength: bytes.length,
    expect: [200, 201, 202],
    doing,
    signal,
  });
  await response.discard();
  const stored = response.headers['docker-content-digest'];
  if (stored !== undefined && isDigest(stored) && stored !== target.digest) {
    throw new BuildError('REGISTRY_FAILED', `${doing}: the registry stored \`${stored}\` for \`${target.digest}\``, {
      hint: 'the registry, or a proxy before it, changes manifests; digests and signatures cannot hold there',
    });
  }
  return response.headers;
}
