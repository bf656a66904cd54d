import type { Cancel } from '../base/abort.js';
import { hasCode } from '../base/errors.js';
import { Authorizer, type Purpose } from './authorizer.js';
import { parseChallenges } from './challenge.js';
import type { HostSettings } from './config.js';
import type { Connections, WireAnswer } from './connections.js';
import type { CredentialSource } from './credentials.js';
import { isTransient, isTransientStatus, isUnsent, RegistryFailure, unexpectedAnswer } from './failure.js';
import { hasPort, isLoopback, serverOf } from './hosts.js';
import { isNotTls, noAnswer } from './network-failure.js';
import { discard, readUpTo } from './read-answer.js';
import { follow, parseLocation, Unanswered } from './redirects.js';
import { pause, retryDelay, type Timing } from './retry.js';
import { speaksTls } from './speaks-tls.js';
import { fetchToken } from './tokens.js';
import { TransportResponse } from './transport-response.js';
import type { RegistryRequest, RegistryResponse, Transport } from './types.js';

export interface HostTransportOptions {
  /** `host[:port]` as in a reference; a mirror's without its path. */
  readonly host: string;
  readonly settings: HostSettings;
  /** As `insecure` of the settings, for this transport alone. */
  readonly insecure: boolean;
  readonly connections: Connections;
  readonly credentials: CredentialSource;
  readonly timing: Timing;
}

const ERROR_BYTES = 16 * 1024;

/** See `Transport`. */
export class HostTransport implements Transport {
  readonly host: string;
  readonly #options: HostTransportOptions;
  readonly #authorizer: Authorizer;
  readonly #mayFallBack: boolean;
  #scheme: 'https' | 'http';
  /** A server on this machine that nobody has said or found out about whether it speaks TLS. */
  #isUntried: boolean;
  #trying: Promise<void> | undefined;

  constructor(options: HostTransportOptions) {
    const { host, settings, insecure, connections, credentials, timing } = options;
    this.host = host;
    this.#options = options;
    this.#scheme = settings.http ? 'http' : 'https';
    const isInsecure = insecure || settings.insecure;
    this.#isUntried = settings.http === undefined && isLoopback(host);
    this.#mayFallBack = isInsecure || this.#isUntried;
    this.#authorizer = new Authorizer({
      registry: host,
      credentials,
      fetchToken: async ({ signal, ...demand }) =>
        await fetchToken(connections, { ...demand, registry: host, insecure: isInsecure }, timing, { signal }),
    });
  }

  async send(request: RegistryRequest): Promise<RegistryResponse> {
    const { expect, doing, signal } = request;
    const purpose: Purpose = { scopes: request.scopes, doing, signal };
    await this.#tryTls({ signal });
    let authorization = await this.#authorizer.header(purpose);
    let answer = await this.#sendRepeatedly(request, authorization);
    if (answer.status === 401 && answer.url.origin === this.#base.origin) {
      const challenges = parseChallenges(answer.headers['www-authenticate']);
      const isTls = answer.url.protocol === 'https:';
      const refused = authorization;
      authorization = await this.#authorizer
        .answer(challenges, refused, isTls, purpose)
        .catch(async (error: unknown) => {
          await discard(answer.body);
          throw error;
        });
      if (authorization !== undefined) {
        await discard(answer.body);
        answer = await this.#sendRepeatedly(request, authorization);
      }
    }
    if (expect.includes(answer.status)) {
      return new TransportResponse(answer, (error) => this.#noAnswer(error, answer.url, doing));
    }
    throw await this.#unexpected(answer, request);
  }

  async prepare(): Promise<void> {
    const { connections, insecure } = this.#options;
    // what TLS needs takes long to load, and may not be needed
    const url = this.#isUntried ? new URL(this.#base.href.replace(/^https:/, 'http:')) : this.#base;
    await connections.prepare(url, { insecure });
  }

  /** Once; whoever comes meanwhile waits for it. */
  async #tryTls(cancel: Cancel): Promise<void> {
    while (this.#isUntried) {
      this.#trying ??= this.#findScheme(cancel).finally(() => (this.#trying = undefined));
      await this.#trying.catch(() => cancel.signal.throwIfAborted()); // of another request that was aborted
    }
  }

  async #findScheme(cancel: Cancel): Promise<void> {
    const { hostname, port } = this.#base;
    const server = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443) };
    if (!(await speaksTls(server, this.#options.timing.connectMs, cancel))) this.#scheme = 'http';
    this.#isUntried = false;
  }

  get #base(): URL {
    return new URL(`${this.#scheme}://${serverOf(this.host)}/v2/`);
  }

  #urlOf(path: string): URL {
    const base = this.#base;
    if (!/^[a-z][a-z0-9+.-]*:/i.test(path)) return new URL(`${base.href}${path}`);
    const url = parseLocation(path, base, base.origin);
    if (url) return url;
    throw new RegistryFailure('REGISTRY_FAILED', `\`${this.host}\` gave a location that is no URL of http or https`);
  }

  /** Until there is an answer that repeating will not better. */
  async #sendRepeatedly(request: RegistryRequest, authorization: string | undefined): Promise<WireAnswer> {
    const { expect, mayRepeat = true, signal } = request;
    const { timing } = this.#options;
    for (let attempt = 1; ;) {
      signal.throwIfAborted();
      const url = this.#urlOf(request.path);
      const outgoing = new OutgoingBody(request.body);
      let delay: number | undefined;
      try {
        const answer = await this.#sendOnce(request, url, authorization, outgoing);
        if (expect.includes(answer.status) || !isTransientStatus(answer.status) || !mayRepeat) return answer;
        delay = retryDelay(attempt, answer.headers['retry-after'], timing);
        if (delay === undefined) return answer;
        await discard(answer.body);
      } catch (error) {
        signal.throwIfAborted();
        if (outgoing.fault) throw outgoing.fault.error;
        if (!(error instanceof Unanswered)) throw error;
        if (this.#fallsBack(error, url)) {
          this.#scheme = 'http';
          continue;
        }
        const { reason } = error;
        const mayPass = mayRepeat ? isTransient(reason) : isUnsent(reason);
        delay = mayPass ? retryDelay(attempt, undefined, timing) : undefined;
        if (delay === undefined) throw this.#noAnswer(reason, error.url, request.doing);
      }
      attempt++;
      await pause(delay, request);
    }
  }

  async #sendOnce(
    { method, headers = {}, body, contentLength, doing, signal }: RegistryRequest,
    url: URL,
    authorization: string | undefined,
    outgoing: OutgoingBody,
  ): Promise<WireAnswer> {
    const length = contentLength === undefined ? {} : { 'content-length': String(contentLength) };
    return await follow(this.#options.connections, {
      url,
      method,
      headers: { ...headers, ...length },
      ...(body && { body: () => outgoing.open() }),
      authorization,
      home: this.#base.origin,
      insecure: this.#options.insecure,
      doing,
      signal,
    });
  }

  /** Whether plain HTTP is to be tried, from now on. */
  #fallsBack({ url, reason }: Unanswered, asked: URL): boolean {
    if (!this.#mayFallBack || url !== asked || url.protocol !== 'https:') return false;
    return isNotTls(reason) || (!hasPort(this.host) && hasCode(reason, 'ECONNREFUSED'));
  }

  #noAnswer(error: unknown, url: URL, doing: string): RegistryFailure {
    const proxy = this.#options.connections.proxyOf(url);
    return noAnswer(error, { doing, url, proxy, secrets: this.#authorizer.secrets });
  }

  async #unexpected(answer: WireAnswer, { doing, signal }: RegistryRequest): Promise<RegistryFailure> {
    const body = await readUpTo(answer.body, ERROR_BYTES).catch(() => {
      signal.throwIfAborted();
      return Buffer.of(); // the status says enough
    });
    const { secrets, isLoggedIn } = this.#authorizer;
    const { status, url } = answer;
    const server = url.host === this.#base.host ? this.host : url.host;
    return unexpectedAnswer({ doing, registry: this.host, server, status, body: body.toString(), secrets, isLoggedIn });
  }
}

/** Tells an error of the bytes that are being sent from one of the connection. */
class OutgoingBody {
  fault: { readonly error: unknown } | undefined;
  readonly #make: RegistryRequest['body'];

  constructor(make: RegistryRequest['body']) {
    this.#make = make;
  }

  open(): Uint8Array | AsyncIterable<Uint8Array> {
    const body = this.#make!();
    return body instanceof Uint8Array ? body : this.#watched(body);
  }

  async *#watched(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* body;
    } catch (error) {
      this.fault = { error };
      throw error;
    }
  }
}
