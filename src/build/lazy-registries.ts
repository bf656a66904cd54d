import { BuildError } from '../base/errors.js';
import type { RegistrySettings } from '../registry/config.js';
import type { Registries } from '../registry/types.js';

/** The registries of one job: opened when something first asks for one, so that a cached build loads no client. */
export class LazyRegistries {
  readonly #env: NodeJS.ProcessEnv;
  readonly #offline: boolean;
  readonly #settings: RegistrySettings;
  #opened: Promise<Registries> | undefined;

  /** `offline`: asking for them is an error. `registries`: what is said of them in addition to `config.toml`. */
  constructor(
    env: NodeJS.ProcessEnv,
    { offline = false, registries = {} }: { readonly offline?: boolean; readonly registries?: RegistrySettings } = {},
  ) {
    this.#env = env;
    this.#offline = offline;
    this.#settings = registries;
  }

  /** Throws CONFIG_INVALID; REGISTRY_FAILED when offline. */
  async get(): Promise<Registries> {
    if (this.#offline) {
      throw new BuildError('REGISTRY_FAILED', 'no registry is asked, because this job is offline', {
        hint: 'leave out `--offline`, and SLIPWAY_OFFLINE in the environment',
      });
    }
    const settings = this.#settings;
    this.#opened ??= import('../registry/open-registries.js').then(({ openRegistries }) =>
      openRegistries(this.#env, { settings }),
    );
    return await this.#opened;
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined); // whoever asked for them has got the error
    await opened?.close();
  }
}
