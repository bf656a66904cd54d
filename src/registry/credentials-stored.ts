import path from 'node:path';
import { homeDirectory } from '../base/home-directory.js';
import type { Cancel } from '../base/abort.js';
import type { CredentialQuery, Credentials, CredentialSource } from './credentials.js';
import { CredentialsFile, entryOf, parseDocument, readCredentialsFile } from './credentials-file.js';
import { CredentialsHelper, type HelperOptions } from './credentials-helper.js';

/** Docker's `config.json`: where `login` writes. */
export function dockerConfigFile(env: NodeJS.ProcessEnv): string {
  return path.join(env['DOCKER_CONFIG'] || path.join(homeOf(env), '.docker'), 'config.json');
}

/** The files that are read, the first that knows a registry counts: what is named, Docker's, then podman's. */
function credentialsFiles(env: NodeJS.ProcessEnv): readonly string[] {
  const { REGISTRY_AUTH_FILE: named, XDG_RUNTIME_DIR: runtime, XDG_CONFIG_HOME: config } = env;
  return [
    ...(named ? [named] : []),
    dockerConfigFile(env),
    ...(runtime ? [path.join(runtime, 'containers/auth.json')] : []),
    path.join(config || path.join(homeOf(env), '.config'), 'containers/auth.json'),
  ];
}

function homeOf(env: NodeJS.ProcessEnv): string {
  return homeDirectory(env);
}

/**
 * The credentials of this user: in the variable `DOCKER_AUTH_CONFIG`, in the files of Docker and podman, and in the
 * helpers that these name. Files are read once, when something is first looked up.
 */
export class StoredCredentials implements CredentialSource {
  readonly #options: HelperOptions;
  #files: Promise<readonly CredentialsFile[]> | undefined;

  constructor(options: HelperOptions) {
    this.#options = options;
  }

  async find(query: CredentialQuery, cancel: Cancel): Promise<Credentials | undefined> {
    this.#files ??= readAll(this.#options.env);
    for (const file of await this.#files) {
      const name = file.helperFor(query.registry);
      const helper = name === undefined ? undefined : new CredentialsHelper(name, this.#options);
      const found = (await helper?.get(entryOf(query.registry), cancel)) ?? file.find(query);
      if (found) return found;
    }
    return undefined;
  }
}

async function readAll(env: NodeJS.ProcessEnv): Promise<readonly CredentialsFile[]> {
  const files = await Promise.all(credentialsFiles(env).map(readCredentialsFile));
  const name = 'DOCKER_AUTH_CONFIG';
  const variable = env[name] ? [new CredentialsFile(parseDocument(env[name], name), name)] : [];
  return [...variable, ...files.filter((file) => file !== undefined)];
}
