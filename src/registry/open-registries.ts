import { loadConfig, withSettings, type RegistrySettings, type SlipwayConfig } from './config.js';
import type { CredentialSource } from './credentials.js';
import { StoredCredentials } from './credentials-stored.js';
import { Mirrors } from './repository-mirrors.js';
import { Endpoint } from './repository-endpoint.js';
import { RegistryRepository, RepositoryWork } from './repository.js';
import { defaultTiming, type Timing } from './retry.js';
import { Transports } from './transports.js';
import type { Registries, Repository, RepositoryOptions } from './types.js';
import { defaultSizes, UploadHabits, type UploadSizes } from './upload-habits.js';

export interface RegistriesOptions {
  /** In place of `config.toml`. */
  readonly config?: SlipwayConfig;
  /** In addition to `config`. */
  readonly settings?: RegistrySettings;
  /** In place of those that are stored: Docker's `config.json` and what it names. */
  readonly credentials?: CredentialSource;
  readonly userAgent?: string;
  readonly timing?: Partial<Timing>;
  readonly sizes?: Partial<UploadSizes>;
}

/**
 * The registries that a job speaks to, with the user's settings and credentials. Neither is read, and nothing is
 * connected, before it is needed: CONFIG_INVALID comes from the first request. To be closed.
 */
export async function openRegistries(env: NodeJS.ProcessEnv, options: RegistriesOptions = {}): Promise<Registries> {
  return new OpenRegistries(env, options);
}

class OpenRegistries implements Registries {
  readonly #env: NodeJS.ProcessEnv;
  readonly #options: RegistriesOptions;
  readonly #timing: Timing;
  readonly #work = new Map<string, RepositoryWork>();
  readonly #habits = new Map<string, UploadHabits>();
  readonly #brokenMirrors = new Set<string>();
  #opened: Promise<{ readonly config: SlipwayConfig; readonly transports: Transports }> | undefined;

  constructor(env: NodeJS.ProcessEnv, options: RegistriesOptions) {
    this.#env = env;
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
  }

  repository(
    { registry, repository }: { readonly registry: string; readonly repository: string },
    { use, insecure = false, origins }: RepositoryOptions,
  ): Repository {
    const actions = use === 'pull' ? 'pull' : 'push,pull';
    const isInsecure = insecure || (use === 'pull' && this.#insecurePulls);
    return new RegistryRepository({
      registry,
      repository,
      endpoint: async () => {
        const { transports } = await this.#open();
        return new Endpoint({ transport: transports.get(registry, { insecure: isInsecure }), repository, actions });
      },
      mirrors: async () =>
        use === 'pull' ? await this.#mirrors(registry, repository) : new Mirrors([], this.#brokenMirrors),
      ...(origins && { origins }),
      work: entry(this.#work, `${use} ${isInsecure} ${registry}/${repository}`, () => new RepositoryWork(this.#timing)),
      habits: entry(this.#habits, registry, () => new UploadHabits({ ...defaultSizes, ...this.#options.sizes })),
      timing: this.#timing,
    });
  }

  async prepare(registry: string, { insecure = false }: Pick<RepositoryOptions, 'insecure'>): Promise<void> {
    const { transports } = await this.#open();
    await transports.get(registry, { insecure }).prepare();
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined); // whoever needed it was told
    await opened?.transports.close();
  }

  /** A mirror is written `host[:port][/path]`; the path goes before that of the repository. */
  async #mirrors(registry: string, repository: string): Promise<Mirrors> {
    const { config, transports } = await this.#open();
    const { mirrors, onlyMirrors } = config.host(registry);
    const endpoints = mirrors.map((mirror) => {
      const [host = '', ...path] = mirror.split('/').filter((part) => part !== '');
      return new Endpoint({
        transport: transports.get(host, { insecure: this.#insecurePulls }),
        repository: [...path, repository].join('/'),
        actions: 'pull',
        mirrorOf: registry,
      });
    });
    return new Mirrors(endpoints, this.#brokenMirrors, onlyMirrors);
  }

  get #insecurePulls(): boolean {
    return this.#options.settings?.insecurePulls ?? false;
  }

  async #open(): Promise<{ readonly config: SlipwayConfig; readonly transports: Transports }> {
    this.#opened ??= this.#connect();
    return await this.#opened;
  }

  async #connect(): Promise<{ readonly config: SlipwayConfig; readonly transports: Transports }> {
    const {
      config: base = await loadConfig(this.#env),
      settings = {},
      credentials = new StoredCredentials({ env: this.#env }),
      userAgent = 'slipway',
      timing,
    } = this.#options;
    const config = withSettings(base, settings);
    const transports = new Transports({
      config,
      credentials,
      env: this.#env,
      userAgent,
      ...(timing && { timing }),
    });
    return { config, transports };
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
