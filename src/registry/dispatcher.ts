import type { ConnectionOptions } from 'node:tls';
import { Agent, Pool, ProxyAgent, type Dispatcher } from 'undici';

export interface Route {
  readonly connectMs: number;
  /** Of the host; undefined for plain HTTP. */
  readonly tls: Pick<ConnectionOptions, 'secureContext' | 'rejectUnauthorized'> | undefined;
  readonly proxy: { readonly url: URL; readonly tls: Pick<ConnectionOptions, 'secureContext'> } | undefined;
}

/**
 * More than what is copied at a time needs: a copy within one registry holds two connections, and if there were none
 * left for sending, reading would wait for ever.
 */
const CONNECTIONS_PER_HOST = 32;

/** What sends requests to one host. The only file that loads undici, so that it is read when something is sent. */
export function openDispatcher({ connectMs, tls, proxy }: Route): Dispatcher {
  const bounds = { connections: CONNECTIONS_PER_HOST, connectTimeout: connectMs };
  const host = { timeout: connectMs, ...tls };
  if (!proxy) return new Agent({ ...bounds, connect: host });
  return new ProxyAgent({
    ...bounds,
    uri: proxy.url.href,
    // Plain HTTP is handed to the proxy as it is: many let CONNECT go to port 443 only.
    proxyTunnel: tls !== undefined,
    requestTls: host,
    proxyTls: { timeout: connectMs, ...proxy.tls },
    factory: (origin: string | URL, options: object) => new Pool(origin, { ...(options as Pool.Options), ...bounds }),
  });
}
