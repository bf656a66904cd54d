import tls from 'node:tls';
import type { Cancel } from '../base/abort.js';
import { isNotTls } from './network-failure.js';

export interface Server {
  readonly host: string;
  readonly port: number;
}

/**
 * False when a server takes a connection and answers, but not in TLS. Nothing is sent but a greeting, and nothing is believed,
 * so no authority need be known: reading those of a machine takes longer than the first request to a registry on it. Whatever
 * else happens, the request that follows will say.
 */
export async function speaksTls({ host, port }: Server, timeoutMs: number, { signal }: Cancel): Promise<boolean> {
  signal.throwIfAborted();
  const secureContext = tls.createSecureContext({ ca: [] });
  const socket = tls.connect({ host, port, secureContext, rejectUnauthorized: false, timeout: timeoutMs });
  try {
    return await new Promise<boolean>((resolve, reject) => {
      socket.once('secureConnect', () => resolve(true));
      socket.once('timeout', () => resolve(true));
      socket.once('error', (error) => resolve(!isNotTls(error)));
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  } finally {
    socket.on('error', () => undefined); // of one that nobody waits for
    socket.destroy();
  }
}
