import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { isDigest, type Digest } from '../oci/digest.js';
import { RegistryFailure } from './failure.js';
import type { Endpoint } from './repository-endpoint.js';
import type { RegistryRequest, RegistryResponse } from './types.js';

const DONE = [200, 201, 202, 204];
/** Answers that say how to go on; what else is no success, the transport explains. */
const FAULTS: Readonly<Record<number, UploadFaultKind>> = {
  404: 'forgotten',
  408: 'cut',
  410: 'forgotten',
  413: 'too-large',
  416: 'misplaced',
  429: 'cut',
  500: 'cut',
  502: 'cut',
  503: 'cut',
  504: 'cut',
};
const KNOWN = [...DONE, ...Object.keys(FAULTS).map(Number)];
/** Statuses of a registry that does not know this way of uploading. */
const REFUSALS = [400, 405, 411, 415, 501];
/** Milliseconds that a registry has to take back a session that is given up. */
const CANCEL_MS = 5_000;

/** Why an upload did not go through, as far as it makes a difference for what comes next. */
export type UploadFaultKind =
  | 'cut' // it is not known how far it came: the connection broke, or the server is in trouble
  | 'forgotten' // the session is gone
  | 'misplaced' // the bytes do not begin where the registry thinks that it is
  | 'too-large' // the request has too many bytes
  | 'refused'; // the registry, or a proxy before it, does not do it in this way

export class UploadFault extends Error {
  readonly kind: UploadFaultKind;
  /** What the user is told when nothing else helps. */
  readonly error: RegistryFailure;
  readonly retryAfter: string | undefined;

  constructor(kind: UploadFaultKind, error: RegistryFailure, retryAfter?: string) {
    super(error.message);
    this.kind = kind;
    this.error = error;
    this.retryAfter = retryAfter;
  }
}

export interface UploadBody {
  readonly bytes: NonNullable<RegistryRequest['body']>;
  /** Undefined when it is not known before the end. */
  readonly length?: number;
}

/** An upload that the registry has begun. It tells with each answer where the next request goes. */
export class UploadSession {
  /** The fewest bytes a chunk may have, but for the last one; undefined when the registry does not say. */
  readonly minChunk: number | undefined;
  readonly #endpoint: Endpoint;
  readonly #doing: string;
  #location: string;

  constructor(endpoint: Endpoint, begun: RegistryResponse, doing: string) {
    this.#endpoint = endpoint;
    this.#doing = doing;
    const location = locationOf(begun);
    if (location === undefined) {
      throw new BuildError('REGISTRY_FAILED', `${doing}: the registry does not say where the blob goes`, {
        hint: 'its answer has no usable `Location`; a proxy before it may take that away',
      });
    }
    this.#location = location;
    const minChunk = Number(begun.headers['oci-chunk-min-length']);
    this.minChunk = Number.isSafeInteger(minChunk) && minChunk > 0 ? minChunk : undefined;
  }

  /** Sends bytes that begin at `start`; without one, all of the blob. Throws UploadFault. */
  async patch({ bytes, length }: UploadBody, opts: Cancel & { readonly start?: number }): Promise<void> {
    const { signal, start } = opts;
    const response = await this.#send({
      method: 'PATCH',
      to: this.#location,
      headers: {
        'content-type': 'application/octet-stream',
        ...(start !== undefined && length !== undefined && { 'content-range': `${start}-${start + length - 1}` }),
      },
      body: bytes,
      ...(length !== undefined && { contentLength: length }),
      signal,
    });
    this.#location = locationOf(response) ?? this.#location;
    await response.discard();
  }

  /** Ends the upload, with the blob's bytes if none were sent yet. Throws UploadFault; REGISTRY_FAILED for a digest. */
  async finish(digest: Digest, { signal }: Cancel, body?: UploadBody): Promise<void> {
    const response = await this.#send({
      method: 'PUT',
      to: `${this.#location}${this.#location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`,
      headers: { 'content-type': 'application/octet-stream' },
      body: body?.bytes ?? (() => new Uint8Array()),
      contentLength: body?.length ?? 0,
      signal,
    });
    await response.discard();
    const stored = response.headers['docker-content-digest'];
    if (stored !== undefined && isDigest(stored) && stored !== digest) {
      throw new BuildError('REGISTRY_FAILED', `${this.#doing}: the registry stored \`${stored}\` instead`, {
        hint: 'the bytes were right when they were sent; the registry, or a proxy before it, changed them',
      });
    }
  }

  /** Bytes that the registry has; undefined when it does not say, or has forgotten the session. */
  async received({ signal }: Cancel): Promise<number | undefined> {
    const response = await this.#ask({ signal });
    const last = /^(?:bytes=)?0-(\d+)$/.exec(response?.headers['range'] ?? '')?.[1];
    // `0-0` is said of an upload with one byte, and of one with none.
    if (response === undefined || last === undefined || last === '0') return undefined;
    this.#location = locationOf(response) ?? this.#location;
    return Number(last) + 1;
  }

  /** How the session stands; undefined when there is no answer to that. */
  async #ask({ signal }: Cancel): Promise<RegistryResponse | undefined> {
    const request = { method: 'GET', to: this.#location, expect: DONE, doing: this.#doing, signal } as const;
    try {
      const response = await this.#endpoint.send(request);
      await response.discard();
      return response;
    } catch (error) {
      // Whatever it is, an upload that begins anew meets it too, or does not.
      if (error instanceof RegistryFailure && error.code === 'REGISTRY_FAILED') return undefined;
      throw error;
    }
  }

  /** Nothing of it stays at the registry, if that allows it. Never throws. */
  async cancel(): Promise<void> {
    const signal = AbortSignal.timeout(CANCEL_MS);
    const request = { method: 'DELETE', to: this.#location, expect: KNOWN, mayRepeat: false } as const;
    try {
      await (await this.#endpoint.send({ ...request, doing: this.#doing, signal })).discard();
    } catch {
      // The registry clears away what is left over.
    }
  }

  async #send(request: {
    method: 'PATCH' | 'PUT';
    to: string;
    headers: Record<string, string>;
    body: NonNullable<RegistryRequest['body']>;
    contentLength?: number;
    signal: AbortSignal;
  }): Promise<RegistryResponse> {
    let response: RegistryResponse;
    try {
      response = await this.#endpoint.send({ ...request, expect: KNOWN, mayRepeat: false, doing: this.#doing });
    } catch (error) {
      request.signal.throwIfAborted();
      throw classified(error);
    }
    const kind = FAULTS[response.status];
    if (kind === undefined) return response;
    await response.discard();
    const { status, headers } = response;
    const message = `${this.#doing}: the registry answered ${status} to the upload`;
    const error = new RegistryFailure('REGISTRY_FAILED', message, { status, hint: HINTS[kind] });
    throw new UploadFault(kind, error, headers['retry-after']);
  }
}

const HINTS: Readonly<Record<UploadFaultKind, string>> = {
  cut: 'the fault is at the registry; try again later',
  forgotten: 'the registry forgets uploads that it has begun; is it several servers without a common store?',
  misplaced: 'the registry loses count of what it was sent; is it several servers without a common store?',
  'too-large': 'the registry, or a proxy before it, limits the size of requests; let it take larger ones',
  refused: 'the registry takes uploads in none of the ways of the specification',
};

function classified(error: unknown): unknown {
  if (!(error instanceof RegistryFailure) || error.code !== 'REGISTRY_FAILED') return error;
  if (error.status === undefined) return error.isTransient ? new UploadFault('cut', error) : error;
  if (error.codes.includes('DIGEST_INVALID')) return error;
  if (error.codes.includes('BLOB_UPLOAD_UNKNOWN')) return new UploadFault('forgotten', error);
  return REFUSALS.includes(error.status) ? new UploadFault('refused', error) : error;
}

function locationOf({ headers, url }: RegistryResponse): string | undefined {
  const { location } = headers;
  if (location === undefined || location === '' || !URL.canParse(location, url)) return undefined;
  const at = new URL(location, url);
  return at.protocol === 'http:' || at.protocol === 'https:' ? at.href : undefined;
}
