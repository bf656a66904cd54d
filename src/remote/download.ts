import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import zlib from 'node:zlib';
import type { Cancel } from '../base/abort.js';
import { BuildError, hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Digest } from '../oci/digest.js';
import { httpGet, type HttpResponse } from './http-client.js';
import { parseHttpTime } from './http-time.js';
import { redact } from './redact.js';

/** What a server said that tells whether a file is still the same. */
export interface Validators {
  /** Without the mark of a weak one. */
  readonly etag?: string;
  readonly lastModified?: string;
}

export type Downloaded =
  /** The server says that it is what the validators stand for. */
  | { readonly kind: 'same' }
  | { readonly kind: 'fetched'; readonly digest: Digest; readonly size: number; readonly validators: Validators };

export interface DownloadOptions extends Cancel {
  /** The file as it was seen before. */
  readonly known?: Validators;
  /** Value of the header Authorization. */
  readonly authorization?: string;
  /** `<algorithm>:<hex>` that the bytes must hash to. */
  readonly checksum?: string;
  readonly userAgent: string;
  readonly idleMs?: number;
  /** Called now and then; `total` where the server says it. */
  readonly onProgress?: (current: number, total: number | undefined) => void;
  /** Milliseconds before the first repetition. */
  readonly retryMs?: number;
}

const ATTEMPTS = 3;
const RETRY_MS = 300;
const TRANSIENT = ['ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'EAI_AGAIN', 'ERR_STREAM_PREMATURE_CLOSE', 'ECONNABORTED'];

/**
 * Fetches a URL into `file`, which is made anew. Failures that may pass are tried again. Throws FETCH_FAILED, in
 * BuildKit's words where it has some; then, and for `same`, there is no file.
 */
export async function download(url: string, file: string, options: DownloadOptions): Promise<Downloaded> {
  for (let attempt = 1; ; attempt++) {
    let failure: unknown;
    try {
      return await downloadOnce(url, file, options);
    } catch (error) {
      await rm(file, { force: true });
      options.signal.throwIfAborted();
      failure = error;
    }
    if (attempt === ATTEMPTS || !isTransient(failure)) throw explained(url, failure);
    await sleep((options.retryMs ?? RETRY_MS) * 2 ** (attempt - 1), undefined, options);
  }
}

async function downloadOnce(url: string, file: string, options: DownloadOptions): Promise<Downloaded> {
  const { known, authorization, userAgent, signal, idleMs } = options;
  const headers = {
    'user-agent': userAgent,
    'accept-encoding': 'gzip', // as BuildKit asks, and then undoes; some servers answer so without being asked
    ...(authorization !== undefined && { authorization }),
    ...(known?.etag !== undefined && { 'if-none-match': known.etag }),
    ...(known?.etag === undefined && known?.lastModified !== undefined && { 'if-modified-since': known.lastModified }),
  };
  const response = await httpGet(url, { headers, signal, ...(idleMs !== undefined && { idleMs }) });
  try {
    const { status } = response;
    const validators = validatorsOf(response);
    // Some servers give tags and do not heed them.
    const isSame = known?.etag !== undefined && known.etag === validators.etag && status === 200;
    if (known && (status === 304 || isSame)) return { kind: 'same' };
    if (status < 200 || status >= 300) throw new StatusError(status);
    const written = await writeBody(response, file, options);
    return { kind: 'fetched', validators, ...written };
  } finally {
    response.body.destroy();
  }
}

async function writeBody(
  { body, headers }: HttpResponse,
  file: string,
  { checksum, onProgress, signal }: DownloadOptions,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const hash = createHash('sha256');
  const [algorithm = ''] = checksum?.split(':') ?? [];
  const other = algorithm === '' || algorithm === 'sha256' ? undefined : createHash(algorithm);
  const isZipped = headers['content-encoding']?.toLowerCase() === 'gzip';
  const total = isZipped || !headers['content-length'] ? undefined : Number(headers['content-length']);
  let size = 0;
  const measured = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of source) {
      size += chunk.length;
      if (size > limits.downloadBytes) {
        throw new BuildError('FETCH_FAILED', `more than ${limits.downloadBytes} bytes were sent`);
      }
      hash.update(chunk);
      other?.update(chunk);
      onProgress?.(size, total);
      yield chunk;
    }
  };
  const out = createWriteStream(file, { flags: 'w', mode: 0o600 });
  if (isZipped) await pipeline(body, zlib.createGunzip(), measured, out, { signal });
  else await pipeline(body, measured, out, { signal });
  const digest = `sha256:${hash.digest('hex')}` as Digest;
  const given = other ? `${algorithm}:${other.digest('hex')}` : digest;
  if (checksum !== undefined && checksum !== '' && given !== checksum) {
    throw new BuildError('FETCH_FAILED', `digest mismatch ${given}: ${checksum}`, {
      hint: 'the file is not the one that the checksum was made of; check both before you change either',
    });
  }
  return { digest, size };
}

function validatorsOf({ headers }: HttpResponse): Validators {
  const { etag, 'last-modified': lastModified } = headers;
  return {
    ...(etag !== undefined && etag !== '' && { etag: etag.replace(/^W\//, '') }),
    ...(lastModified !== undefined && parseHttpTime(lastModified) !== undefined && { lastModified }),
  };
}

class StatusError extends BuildError {
  readonly status: number;

  constructor(status: number) {
    super('FETCH_FAILED', `invalid response status ${status}`);
    this.status = status;
  }
}

function isTransient(error: unknown): boolean {
  if (error instanceof StatusError) return error.status >= 500;
  return hasCode(error, ...TRANSIENT);
}

function explained(url: string, error: unknown): unknown {
  if (error instanceof BuildError) return error;
  if (hasCode(error, 'ENOSPC', 'EDQUOT', 'EROFS')) return error;
  return new BuildError('FETCH_FAILED', `cannot fetch \`${redact(url)}\``, { cause: error });
}
