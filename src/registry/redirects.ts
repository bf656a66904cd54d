import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Connections, WireAnswer, WireRequest } from './connections.js';
import { isOfTheNetwork, RegistryFailure } from './failure.js';
import { discard } from './read-answer.js';

/** A hop that got no answer. */
export class Unanswered extends Error {
  constructor(
    readonly url: URL,
    /** What the network or undici threw. */
    readonly reason: unknown,
  ) {
    super(`no answer from ${url.host}`, { cause: reason });
  }
}

/** A request that goes where redirects lead it. */
export interface FollowedRequest extends Omit<WireRequest, 'body'> {
  readonly url: URL;
  /** Sent to the origin `home` only: neither to another host or port, nor from https to http. */
  readonly authorization: string | undefined;
  readonly home: string;
  /** Called anew for every hop. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
  /** The body is a secret, and stays at `home` as well. */
  readonly isBodySecret?: boolean;
  /** For errors. */
  readonly doing: string;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * Sends a request and follows redirects. A body goes along for 307 and 308; the other redirects would turn an upload into
 * a GET, and are given back as the answer. Throws REGISTRY_FAILED for too many and for those that lead out of http;
 * Unanswered; the reason of an abort.
 */
export async function follow(connections: Connections, request: FollowedRequest): Promise<WireAnswer> {
  const { method, headers, authorization, home, insecure, signal, doing } = request;
  let { url } = request;
  for (let hops = 0; ; hops++) {
    const isHome = url.origin === home;
    const answer = await ask(connections, url, {
      method,
      headers: { ...headers, ...(isHome && authorization !== undefined && { authorization }) },
      ...(request.body && { body: request.body() }),
      insecure: insecure && isHome,
      signal,
    });
    const { status } = answer;
    const { location } = answer.headers;
    if (!REDIRECTS.has(status) || location === undefined) return answer;
    if (!READS.has(method) && status !== 307 && status !== 308) return answer;
    const next = parseLocation(location, url, home);
    if (next && request.isBodySecret && next.origin !== home) return answer;
    await discard(answer.body);
    if (!next) {
      throw new RegistryFailure(
        'REGISTRY_FAILED',
        `${doing}: \`${url.host}\` redirects to what is no URL of http or https`,
      );
    }
    if (hops === limits.redirects) {
      throw new RegistryFailure(
        'REGISTRY_FAILED',
        `${doing}: \`${url.host}\`: stopped after ${limits.redirects} redirects`,
      );
    }
    url = next;
  }
}

async function ask(connections: Connections, url: URL, request: WireRequest): Promise<WireAnswer> {
  try {
    return await connections.request(url, request);
  } catch (error) {
    request.signal.throwIfAborted();
    if (error instanceof BuildError || !isOfTheNetwork(error)) throw error;
    throw new Unanswered(url, error);
  }
}

/**
 * The URL that a `Location` means; undefined when it is none of http or https. A registry behind a proxy that ends TLS
 * often takes itself for plain HTTP: on the same host TLS is never left.
 */
export function parseLocation(location: string, base: URL, home: string): URL | undefined {
  const url = URL.canParse(location, base.href) ? new URL(location, base) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return undefined;
  url.username = '';
  url.password = '';
  const own = new URL(home);
  if (own.protocol === 'https:' && url.protocol === 'http:' && url.host === own.host) url.protocol = 'https:';
  return url;
}
