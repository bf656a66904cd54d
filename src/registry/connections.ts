import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Cancel } from '../base/abort.js';
import type { SlipwayConfig } from './config.js';
import { proxyFor } from './proxy.js';
import type { Timing } from './retry.js';
import { Trust } from './trust.js';

/** One request to one URL, as it goes over the wire. */
export interface WireRequest extends Cancel {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** TLS is not verified, whatever the settings say. */
  readonly insecure: boolean;
}

/** An answer, whatever its status. */
export interface WireAnswer {
  readonly url: URL;
  readonly status: number;
  /** Names in lower case; several headers of a name are joined by commas. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** To be read to its end or destroyed. */
  readonly body: Readable & { dump(opts: { readonly limit: number }): Promise<void> };
}

export interface ConnectionsOptions {
  readonly config: SlipwayConfig;
  /** For proxies and the machine's CAs. */
  readonly env: NodeJS.ProcessEnv;
  readonly timing: Timing;
  readonly userAgent: string;
}

/** The connections of a job: kept alive, by host, each host with its settings and its proxy. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #trust: Trust;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#trust = new Trust(options.env);
  }

  /** Throws what undici and the network throw, and CONFIG_INVALID for settings that cannot be used. */
  async request(url: URL, request: WireRequest): Promise<WireAnswer> {
    const { method, body, insecure, signal } = request;
    const { timing, userAgent } = this.#options;
    const dispatcher = await this.#dispatcher(url, insecure);
    signal.throwIfAborted();
    const {
      statusCode,
      headers,
      body: answer,
    } = await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { 'user-agent': userAgent, ...request.headers },
      ...(body !== undefined && { body: body as Uint8Array }), // undici takes any async iterable; its types do not say so
      headersTimeout: method === 'GET' || method === 'HEAD' ? timing.answerMs : timing.headersMs,
      bodyTimeout: timing.bodyMs,
      signal,
    });
    const joined = Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : value,
    ]);
    return { url, status: statusCode, headers: Object.fromEntries(joined) as WireAnswer['headers'], body: answer };
  }

  /** Makes ready what a request to the URL's server will need, and connects nothing. Throws CONFIG_INVALID. */
  async prepare(url: URL, { insecure }: Pick<WireRequest, 'insecure'>): Promise<void> {
    await this.#dispatcher(url, insecure);
  }

  /** `host:port` of the proxy that a URL is asked through. */
  proxyOf(url: URL): string | undefined {
    return proxyFor(url, this.#options.env)?.host;
  }

  /** Cuts what is still under way. */
  async close(): Promise<void> {
    const dispatchers = await Promise.allSettled(this.#dispatchers.values());
    this.#dispatchers.clear();
    await Promise.all(dispatchers.map(async (one) => one.status === 'fulfilled' && (await one.value.destroy())));
  }

  #dispatcher(url: URL, insecure: boolean): Promise<Dispatcher> {
    const key = `${insecure ? 'insecure ' : ''}${url.origin}`;
    let dispatcher = this.#dispatchers.get(key);
    if (!dispatcher) {
      dispatcher = this.#connect(url, insecure);
      dispatcher.catch(() => undefined); // whoever asked for it gets the error
      this.#dispatchers.set(key, dispatcher);
    }
    return dispatcher;
  }

  async #connect(url: URL, insecure: boolean): Promise<Dispatcher> {
    const { config, env, timing } = this.#options;
    const proxy = proxyFor(url, env);
    const { openDispatcher } = await import('./dispatcher.js');
    const settings = config.host(url.host);
    const secureContext = url.protocol === 'https:' ? this.#trust.contextFor(settings) : undefined;
    return openDispatcher({
      connectMs: timing.connectMs,
      tls: secureContext && { secureContext, rejectUnauthorized: !insecure && !settings.insecure },
      proxy: proxy && { url: proxy, tls: { secureContext: this.#trust.contextFor({ ca: [], keypairs: [] }) } },
    });
  }
}
