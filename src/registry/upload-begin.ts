import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { Digest } from '../oci/digest.js';
import type { Endpoint } from './repository-endpoint.js';
import { UploadSession } from './upload-session.js';

/** Begins an upload. */
export async function beginUpload(endpoint: Endpoint, doing: string, { signal }: Cancel): Promise<UploadSession> {
  const response = await endpoint.send({
    method: 'POST',
    to: 'blobs/uploads/',
    expect: [202],
    doing,
    signal,
  });
  await response.discard();
  return new UploadSession(endpoint, response, doing);
}

/**
 * Asks for a blob to be taken over from the first of `origins`, repositories of the same registry, that has it. Gives
 * `mounted`, or the session that the registry began because it did not find it there, or undefined.
 */
export async function mountBlob(
  endpoint: Endpoint,
  digest: Digest,
  origins: readonly string[],
  doing: string,
  { signal }: Cancel,
): Promise<'mounted' | UploadSession | undefined> {
  let session: UploadSession | undefined;
  for (const origin of origins) {
    const answer = await mountFrom(endpoint, digest, origin, doing, { signal });
    if (answer === undefined) continue;
    await session?.cancel();
    if (answer === 'mounted') return answer;
    session = answer;
  }
  return session;
}

async function mountFrom(
  endpoint: Endpoint,
  digest: Digest,
  origin: string,
  doing: string,
  { signal }: Cancel,
): Promise<'mounted' | UploadSession | undefined> {
  const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(origin)}`;
  try {
    const response = await endpoint.send({
      method: 'POST',
      to: `blobs/uploads/?${query}`,
      also: [{ repository: origin, actions: 'pull' }],
      expect: [201, 202, 400, 404, 405],
      doing,
      signal,
    });
    await response.discard();
    if (response.status === 201) return 'mounted';
    return response.status === 202 ? new UploadSession(endpoint, response, doing) : undefined;
  } catch (error) {
    // Whoever may not read the origin may still push here; if not, the upload that follows says so.
    if (error instanceof BuildError && error.code === 'REGISTRY_DENIED') return undefined;
    throw error;
  }
}
