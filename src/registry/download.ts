import zlib from 'node:zlib';
import { pipeline, type Readable } from 'node:stream';
import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { isIndexType, isManifestType, type Descriptor } from '../oci/descriptor.js';
import { plainText } from './failure.js';
import { Attempts } from './repository-attempts.js';
import type { Timing } from './retry.js';
import type { Endpoint } from './repository-endpoint.js';
import type { RegistryResponse } from './types.js';

/** How far a download came. Outlives the place it is read from, so that another place can give the rest. */
export interface DownloadProgress {
  at: number;
}

export interface DownloadOptions extends Cancel {
  readonly timing: Timing;
}

/**
 * The bytes of a blob or manifest from `progress.at` on, as one place gives them; taken up again where they were cut,
 * by Range or, from a server that knows none, by reading over what is there. Never more than `target.size` in all; the
 * digest is the caller's to check. Throws BLOB_NOT_FOUND, BLOB_CORRUPT when the place has more or fewer bytes,
 * REGISTRY_FAILED when it is cut again and again with nothing new between.
 */
export async function* download(
  endpoint: Endpoint,
  target: Descriptor,
  progress: DownloadProgress,
  opts: DownloadOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const attempts = new Attempts(opts.timing);
  const doing = `pulling \`${endpoint.reference(target)}\``;
  for (let byRange = true; ;) {
    const part = await request(endpoint, target, byRange ? progress.at : 0, { ...opts, doing });
    byRange = part.byRange;
    const before = progress.at;
    let cut: unknown;
    const body = part.read();
    try {
      for (;;) {
        let next: IteratorResult<Buffer>;
        try {
          next = await body.next();
        } catch (error) {
          opts.signal.throwIfAborted();
          if (error instanceof BuildError) throw error;
          cut = error;
          break;
        }
        if (next.done) break;
        const fresh = part.fresh(next.value, progress.at);
        if (fresh.length === 0) continue;
        if (progress.at + fresh.length > target.size) {
          throw wrongSize(doing, `more than the ${target.size} bytes it should have`);
        }
        progress.at += fresh.length;
        yield fresh;
      }
    } finally {
      await body.return();
    }
    if (progress.at === target.size) return;
    const tooFew = wrongSize(doing, `${progress.at} bytes instead of ${target.size}`);
    if (cut === undefined && progress.at === before && part.whole) throw tooFew;
    if (progress.at > before) attempts.progressed();
    await attempts.failed(cut === undefined ? tooFew : wasCut(doing, progress, target, cut), opts);
  }
}

/** A manifest lies under `manifests/`, everything else under `blobs/`. */
export function contentPath({ mediaType, digest }: Pick<Descriptor, 'mediaType' | 'digest'>): string {
  return `${isIndexType(mediaType) || isManifestType(mediaType) ? 'manifests' : 'blobs'}/${digest}`;
}

/** One answer: where it begins, and how its bytes are read. */
interface Part {
  /** Whether what is missing can be asked for by Range the next time. */
  readonly byRange: boolean;
  /** Whether it was to give all bytes from the first one on. */
  readonly whole: boolean;
  read(): AsyncGenerator<Buffer, void, undefined>;
  /** What of the next chunk lies at or after `at`. */
  fresh(chunk: Buffer, at: number): Buffer;
}

async function request(
  endpoint: Endpoint,
  target: Descriptor,
  from: number,
  { signal, doing }: DownloadOptions & { readonly doing: string },
): Promise<Part> {
  const path = contentPath(target);
  const response = await endpoint.send({
    method: 'GET',
    to: path,
    headers: {
      'accept-encoding': 'identity',
      ...(path.startsWith('manifests/') && { accept: target.mediaType }),
      ...(from > 0 && { range: `bytes=${from}-` }),
    },
    expect: from > 0 ? [200, 206, 404, 416] : [200, 404],
    doing,
    signal,
  });
  if (response.status === 404) {
    await response.discard();
    throw new BuildError('BLOB_NOT_FOUND', `${doing}: it is not there`, {
      hint: 'the image may have been deleted, or pushed only in part; push or pull it again',
    });
  }
  if (response.status === 416 || (response.status === 206 && begins(response) !== from)) {
    // It does not do ranges as it should: the next time it is asked for everything.
    await response.discard();
    return { byRange: false, whole: false, read: nothing, fresh: (chunk) => chunk };
  }
  const start = response.status === 206 ? from : 0;
  const encoding = contentEncoding(response, target.size - start);
  if (encoding !== undefined && encoding !== 'gzip') {
    await response.discard();
    throw new BuildError('REGISTRY_FAILED', `${doing}: the answer is encoded as \`${plainText(encoding, [])}\``, {
      hint: 'the registry, or a proxy before it, encodes what was asked for as it is; turn that off there',
    });
  }
  let position = start;
  return {
    // Offsets of an encoded answer are not those of the blob.
    byRange: encoding === undefined,
    whole: start === 0,
    read: () => chunksOf(encoding === undefined ? response.body : gunzipped(response.body, target.size, doing)),
    fresh(chunk, at) {
      const begin = position;
      position += chunk.length;
      return chunk.subarray(Math.min(chunk.length, Math.max(0, at - begin)));
    },
  };
}

/** Where a partial answer says that it begins; where it should, if it does not say. */
function begins({ headers }: RegistryResponse): number | undefined {
  const found = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(headers['content-range'] ?? '');
  return found ? Number(found[1]) : undefined;
}

/**
 * How the bytes were encoded for the way, though nobody asked for that. Some stores say `gzip` of a layer that *is* a
 * gzip file: then its length is the one that was expected.
 */
export function contentEncoding({ headers }: RegistryResponse, expected?: number): string | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase();
  if (encoding === undefined || encoding === '' || encoding === 'identity') return undefined;
  return expected !== undefined && headers['content-length'] === String(expected) ? undefined : encoding;
}

/** The stream is cut when it takes far more bytes than the `size` that is to come out of it: it may give nothing for ever. */
function gunzipped(body: Readable, size: number, doing: string): Readable {
  const most = 2 * size + 64 * 1024;
  async function* bounded(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    let taken = 0;
    for await (const chunk of content) {
      taken += chunk.length;
      if (taken > most) throw wrongSize(doing, `more than ${most} bytes of gzip for the ${size} it should have`);
      yield chunk;
    }
  }
  // The reader gets the error; whatever ends one of the two ends the other.
  return pipeline(body, bounded, zlib.createGunzip(), () => undefined);
}

async function* chunksOf(body: Readable): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of body) yield chunk as Buffer;
}

async function* nothing(): AsyncGenerator<Buffer, void, undefined> {}

function wasCut(doing: string, { at }: DownloadProgress, { size }: Descriptor, cause: unknown): BuildError {
  return new BuildError('REGISTRY_FAILED', `${doing}: the connection was cut after ${at} of ${size} bytes`, {
    hint: 'the fault is at the registry or on the way to it; try again later',
    cause,
  });
}

function wrongSize(doing: string, what: string): BuildError {
  return new BuildError('BLOB_CORRUPT', `${doing}: it has ${what}`, {
    hint: 'the bytes were damaged or changed where they came from; push the image again, or report it to the registry',
  });
}
