import { gunzipSync } from 'node:zlib';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { contentEncoding } from './download.js';
import { Attempts } from './repository-attempts.js';
import type { Timing } from './retry.js';
import type { Endpoint, EndpointRequest } from './repository-endpoint.js';
import type { RegistryResponse } from './types.js';

const GZIP_MAGIC = Buffer.of(0x1f, 0x8b);

export interface DocumentAnswer {
  readonly status: number;
  readonly headers: RegistryResponse['headers'];
  readonly url: string;
  /** Empty for any status but 200. */
  readonly bytes: Buffer;
}

/**
 * GETs a small document whose digest and size are not known, whole; again when it is cut. Throws IMAGE_INVALID when it
 * is larger than `limits.documentBytes`.
 */
export async function fetchDocument(
  endpoint: Endpoint,
  request: Omit<EndpointRequest, 'method'>,
  timing: Timing,
): Promise<DocumentAnswer> {
  const attempts = new Attempts(timing);
  for (;;) {
    const response = await endpoint.send({
      ...request,
      method: 'GET',
      headers: { 'accept-encoding': 'identity', ...request.headers },
    });
    const { status, headers, url } = response;
    if (status !== 200) {
      await response.discard();
      return { status, headers, url, bytes: Buffer.alloc(0) };
    }
    try {
      return { status, headers, url, bytes: decoded(await collect(response, request), response, request) };
    } catch (error) {
      if (error instanceof BuildError && error.code === 'IMAGE_INVALID') throw error;
      const cut = new BuildError('REGISTRY_FAILED', `${request.doing}: the connection was cut`, { cause: error });
      await attempts.failed(cut, request);
    }
  }
}

async function collect(response: RegistryResponse, { doing }: Pick<EndpointRequest, 'doing'>): Promise<Buffer> {
  if (Number(response.headers['content-length']) > limits.documentBytes) {
    await response.discard();
    throw tooLarge(doing);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += (chunk as Buffer).length;
    if (size > limits.documentBytes) throw tooLarge(doing);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function decoded(bytes: Buffer, response: RegistryResponse, { doing }: Pick<EndpointRequest, 'doing'>): Buffer {
  // Such documents are JSON, so one that is said to be gzip and begins like it was encoded for the way.
  if (contentEncoding(response) === undefined || !bytes.subarray(0, 2).equals(GZIP_MAGIC)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: limits.documentBytes });
  } catch (error) {
    throw new BuildError('IMAGE_INVALID', `${doing}: the answer is not the gzip that it says it is`, { cause: error });
  }
}

export function tooLarge(doing: string): BuildError {
  return new BuildError('IMAGE_INVALID', `${doing}: the document has more than ${limits.documentBytes} bytes`, {
    hint: 'no manifest, index or config is that large; this is something else, or a hostile registry',
  });
}

/** Without parameters and in lower case; undefined when the answer does not say. */
export function contentType(headers: RegistryResponse['headers']): string | undefined {
  const type = headers['content-type']?.split(';')[0]!.trim().toLowerCase();
  return type === '' ? undefined : type;
}
