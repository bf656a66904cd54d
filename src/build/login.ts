import type { Cancel } from '../base/abort.js';
import { loadConfig } from '../registry/config.js';
import { removeCredentials, type Kept } from '../registry/credentials-update.js';
import { login, registryOf } from '../registry/login.js';

export interface LoginOptions extends Cancel {
  /** `host[:port]` or its URL; default Docker Hub. */
  readonly registry?: string;
  readonly username: string;
  readonly password: string;
  /** For configuration, proxies, CAs; default that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly userAgent?: string;
}

/** Keeps credentials that the registry takes, where Docker keeps them; says where. Throws REGISTRY_DENIED and others. */
export async function loginToRegistry(options: LoginOptions): Promise<Kept> {
  const { username, password, env = process.env, userAgent = 'slipway', signal } = options;
  const registry = registryOf(options.registry);
  const config = await loadConfig(env);
  return await login({ registry, username, password }, { config, env, userAgent, signal });
}

export interface LogoutOptions extends Cancel {
  readonly registry?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Forgets what `loginToRegistry` kept; false when there was nothing. */
export async function logoutOfRegistry({ registry, env = process.env, signal }: LogoutOptions): Promise<boolean> {
  return await removeCredentials(registryOf(registry), { env }, { signal });
}
