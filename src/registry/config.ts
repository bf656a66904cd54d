import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { homeDirectory } from '../base/home-directory.js';
import { BuildError, hasCode } from '../base/errors.js';
import { registryName } from './hosts.js';

/** How one registry host is spoken to. */
export interface HostSettings {
  /** `host[:port][/path]`, asked in this order before the host itself; for pulls only. */
  readonly mirrors: readonly string[];
  /** What no mirror gives is not pulled from the host itself. Without mirrors it means nothing. */
  readonly onlyMirrors: boolean;
  /** Plain HTTP (true), TLS (false); undefined: TLS, and for this machine itself plain HTTP if it does not speak TLS. */
  readonly http: boolean | undefined;
  /** Certificates are not verified, and plain HTTP is taken where there is no TLS. */
  readonly insecure: boolean;
  /** Absolute paths of PEM files of CAs that count besides the machine's. */
  readonly ca: readonly string[];
  readonly keypairs: readonly KeyPair[];
}

/** Absolute paths of PEM files. */
export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

export interface SlipwayConfig {
  /** The settings of `host[:port]`; the defaults when the file has none. */
  host(name: string): HostSettings;
}

const DEFAULTS: HostSettings = {
  mirrors: [],
  onlyMirrors: false,
  http: undefined,
  insecure: false,
  ca: [],
  keypairs: [],
};

/** What one job says of registries in addition to `config.toml`. */
export interface RegistrySettings {
  /** By `host[:port]`; lists go before those of the file, other values replace the file's. */
  readonly hosts?: Readonly<Record<string, Partial<HostSettings>>>;
  /** Plain HTTP and unverified TLS are taken too by what pulls, from every registry and mirror. */
  readonly insecurePulls?: boolean;
}

/** `config`, with what a job says in addition. */
export function withSettings(config: SlipwayConfig, { hosts = {} }: RegistrySettings): SlipwayConfig {
  const added = new Map(Object.entries(hosts).map(([name, settings]) => [registryName(name), settings]));
  return {
    host: (name) => {
      const settings = config.host(name);
      const own = added.get(registryName(name));
      if (!own) return settings;
      return {
        ...settings,
        ...own,
        mirrors: [...(own.mirrors ?? []), ...settings.mirrors],
        ca: [...(own.ca ?? []), ...settings.ca],
        keypairs: [...(own.keypairs ?? []), ...settings.keypairs],
      };
    },
  };
}

/** What holds without a file. */
export const defaultConfig: SlipwayConfig = { host: () => DEFAULTS };

/** The file that `loadConfig` reads. */
export function configFile(env: NodeJS.ProcessEnv): string {
  if (env['SLIPWAY_CONFIG']) return path.resolve(env['SLIPWAY_CONFIG']);
  return path.join(env['XDG_CONFIG_HOME'] || path.join(homeDirectory(env), '.config'), 'slipway/config.toml');
}

/**
 * Reads `config.toml`; the defaults when there is none, unless `SLIPWAY_CONFIG` names it. Throws CONFIG_INVALID with file
 * and line for what it cannot mean.
 */
export async function loadConfig(env: NodeJS.ProcessEnv): Promise<SlipwayConfig> {
  const file = configFile(env);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR') && !env['SLIPWAY_CONFIG']) return defaultConfig;
    throw new BuildError('CONFIG_INVALID', `cannot read \`${file}\``, { cause: error });
  }
  const { parseConfig } = await import('./config-file.js');
  const hosts = await parseConfig(text, file);
  return { host: (name) => hosts.get(registryName(name)) ?? DEFAULTS };
}
