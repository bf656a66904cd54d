import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { redact } from './redact.js';

export interface HttpRequest extends Cancel {
  /** `authorization` is sent to the URL's own server only, not to one that it redirects to. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds without a byte after which the server counts as dead. */
  readonly idleMs?: number;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end or destroyed. */
  readonly body: IncomingMessage;
}

const IDLE_MS = 60_000;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * GET, with redirects followed. What a server answers is no error here, whatever its status; throws what the network
 * or the signal says, and FETCH_FAILED for too many redirects and those that lead out of http.
 */
export async function httpGet(url: string, request: HttpRequest): Promise<HttpResponse> {
  let at = parseUrl(url);
  let { headers } = request;
  for (let hops = 0; ; hops++) {
    const response = await getOnce(at, headers, request);
    const { location } = response.headers;
    if (!REDIRECTS.has(response.status) || location === undefined) return response;
    response.body.destroy();
    if (hops === limits.redirects) {
      throw new BuildError('FETCH_FAILED', `\`${redact(url)}\`: stopped after ${limits.redirects} redirects`);
    }
    const next = parseUrl(location, at);
    if (next.origin !== at.origin) {
      const { authorization: _, ...others } = headers;
      headers = others;
    }
    at = next;
  }
}

function parseUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new BuildError('FETCH_FAILED', `\`${redact(text)}\` is not a URL of http or https`);
}

async function getOnce(url: URL, headers: HttpRequest['headers'], request: HttpRequest): Promise<HttpResponse> {
  const { signal, idleMs = IDLE_MS } = request;
  signal.throwIfAborted();
  const { get } = url.protocol === 'https:' ? https : http;
  return await new Promise((resolve, reject) => {
    let answer: IncomingMessage | undefined;
    const sent = get(url, { headers, signal }, (body) => {
      answer = body;
      resolve({ status: body.statusCode!, headers: body.headers, body });
    });
    sent.setTimeout(idleMs, () => (answer ?? sent).destroy(new TimeoutError(`no answer for ${idleMs / 1000} seconds`)));
    sent.once('error', (error) => reject(signal.aborted ? signal.reason : error));
  });
}

class TimeoutError extends Error {
  readonly code = 'ETIMEDOUT';
}
