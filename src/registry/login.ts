import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { SlipwayConfig } from './config.js';
import { credentialsOf, placeOf } from './credentials-file.js';
import { storeCredentials, type Kept, type Login } from './credentials-update.js';
import { RegistryFailure } from './failure.js';
import { Transports, type TransportsOptions } from './transports.js';

export interface LoginOptions extends Cancel, Pick<TransportsOptions, 'env' | 'userAgent' | 'timing'> {
  readonly config: SlipwayConfig;
}

/**
 * Asks the registry whether it takes the credentials, and only then keeps them. Throws REGISTRY_DENIED, REGISTRY_FAILED
 * and CONFIG_INVALID.
 */
export async function login(login: Login, options: LoginOptions): Promise<Kept> {
  const { registry, username, password } = login;
  const { env, config, userAgent, timing, signal } = options;
  const credentials = credentialsOf(username, password);
  if (!credentials) throw new BuildError('USAGE', 'a login needs a user name and a password');
  const source = { find: async () => credentials };
  const transports = new Transports({ config, credentials: source, env, userAgent, ...(timing && { timing }) });
  const doing = `logging in to \`${registry}\``;
  try {
    const answer = await transports
      .get(registry)
      .send({ method: 'GET', path: '', scopes: [], expect: [200], doing, signal });
    await answer.discard();
  } catch (error) {
    if (!(error instanceof RegistryFailure) || error.code !== 'REGISTRY_DENIED') throw error;
    throw new BuildError('REGISTRY_DENIED', `${doing}: the user name or the password is wrong`, {
      hint: 'many registries want an access token in place of the password',
      cause: error,
    });
  } finally {
    await transports.close();
  }
  return await storeCredentials(login, { env }, { signal });
}

/** The registry that a user means by `host`, an address or nothing. Throws USAGE. */
export function registryOf(text: string | undefined): string {
  if (text === undefined) return 'docker.io';
  const place = placeOf(text);
  if (/^(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(?::\d+)?$/.test(place)) return place;
  throw new BuildError('USAGE', `\`${text}\` is not a registry`, {
    hint: 'name its host: `localhost:5000`, `ghcr.io`',
  });
}
