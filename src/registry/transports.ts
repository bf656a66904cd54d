import type { SlipwayConfig } from './config.js';
import { Connections } from './connections.js';
import type { CredentialSource } from './credentials.js';
import { registryName } from './hosts.js';
import { defaultTiming, type Timing } from './retry.js';
import { HostTransport } from './transport.js';
import type { Transport } from './types.js';

export interface TransportsOptions {
  readonly config: SlipwayConfig;
  readonly credentials: CredentialSource;
  /** For proxies and the machine's CAs. */
  readonly env: NodeJS.ProcessEnv;
  readonly userAgent: string;
  readonly timing?: Partial<Timing>;
}

/** The transports of a job. Connections are shared by all, tokens by all that speak to the same registry. */
export class Transports {
  readonly #options: TransportsOptions;
  readonly #timing: Timing;
  readonly #connections: Connections;
  readonly #transports = new Map<string, HostTransport>();

  constructor(options: TransportsOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    const { config, env, userAgent } = options;
    this.#connections = new Connections({ config, env, userAgent, timing: this.#timing });
  }

  /** `host` as in a reference: `docker.io`, `localhost:5000`. `insecure` is said in addition to the settings. */
  get(host: string, { insecure = false }: { readonly insecure?: boolean } = {}): Transport {
    const name = registryName(host);
    const key = `${insecure ? 'insecure ' : ''}${name}`;
    let transport = this.#transports.get(key);
    if (!transport) {
      transport = new HostTransport({
        host: name,
        settings: this.#options.config.host(name),
        insecure,
        connections: this.#connections,
        credentials: this.#options.credentials,
        timing: this.#timing,
      });
      this.#transports.set(key, transport);
    }
    return transport;
  }

  /** Cuts what is still under way. */
  async close(): Promise<void> {
    await this.#connections.close();
  }
}
