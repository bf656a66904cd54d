import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Cancel } from '../base/abort.js';
import { replaceFile } from '../base/atomic-file.js';
import { BuildError, hasCode } from '../base/errors.js';
import { makeDirectory } from '../base/make-directory.js';
import { lockPath } from '../base/path-lock.js';
import { basicValue } from './credentials.js';
import { CredentialsFile, entryOf, keysOf, readCredentialsFile, type CredentialsDocument } from './credentials-file.js';
import { CredentialsHelper, type HelperOptions } from './credentials-helper.js';
import { dockerConfigFile } from './credentials-stored.js';

export interface Login {
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

/** Where credentials went. */
export type Kept =
  /** In base64, so readable by whoever can read the file. */
  { readonly kind: 'file'; readonly file: string } | { readonly kind: 'helper'; readonly program: string };

/**
 * Puts credentials where Docker's `config.json` says: into the helper that it names, else into the file itself. Whatever
 * else stands in the file stays. Throws CONFIG_INVALID.
 */
export async function storeCredentials(login: Login, options: HelperOptions, cancel: Cancel): Promise<Kept> {
  const { registry, username, password } = login;
  const entry = entryOf(registry);
  return await updateConfig<Kept>(options.env, cancel, async (file) => {
    const name = file.helperFor(registry);
    const { document } = file;
    if (name === undefined) {
      return [
        { kind: 'file', file: file.name },
        withAuth(document, entry, { auth: basicValue({ username, password }) }),
      ];
    }
    const helper = new CredentialsHelper(name, options);
    await helper.store(entry, username, password, cancel);
    return [{ kind: 'helper', program: helper.program }, withAuth(document, entry, {})]; // an empty entry, as Docker writes it, tells what one is logged in to
  });
}

/** Takes the credentials of a registry away, in all forms of its name; false when there were none. Throws CONFIG_INVALID. */
export async function removeCredentials(registry: string, options: HelperOptions, cancel: Cancel): Promise<boolean> {
  return await updateConfig(options.env, cancel, async (file) => {
    const { document } = file;
    const name = file.helperFor(registry);
    const helper = name === undefined ? undefined : new CredentialsHelper(name, options);
    const known = await helper?.get(entryOf(registry), cancel);
    if (known) await helper?.erase(entryOf(registry), cancel);
    const gone = new Set(keysOf(document.auths ?? {}, registry));
    if (gone.size === 0) return [known !== undefined, undefined];
    const auths = Object.entries(document.auths ?? {}).filter(([key]) => !gone.has(key));
    return [true, { ...document, auths: Object.fromEntries(auths) }];
  });
}

function withAuth(document: CredentialsDocument, entry: string, value: object): CredentialsDocument {
  return { ...document, auths: { ...document.auths, [entry]: value } };
}

/** Lets `change` read the file and give what it becomes, undefined for the same, with nobody else changing it meanwhile. */
async function updateConfig<T>(
  env: NodeJS.ProcessEnv,
  { signal }: Cancel,
  change: (file: CredentialsFile) => Promise<readonly [T, CredentialsDocument | undefined]>,
): Promise<T> {
  const named = dockerConfigFile(env);
  const folder = path.dirname(named);
  try {
    makeDirectory(folder, 0o700);
    // The folder itself: a lock file would stay behind in it.
    const lock = await lockPath(folder, 'directory', 'exclusive', { signal });
    try {
      const current = (await readCredentialsFile(named)) ?? new CredentialsFile({}, named);
      const [result, next] = await change(current);
      if (next !== undefined) await writeConfig(named, next);
      return result;
    } finally {
      lock.release();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'EEXIST', 'ENOTDIR')) throw error;
    throw new BuildError('CONFIG_INVALID', `cannot write \`${named}\``, {
      hint: 'name a folder that can be written with DOCKER_CONFIG',
      cause: error,
    });
  }
}

async function writeConfig(named: string, document: CredentialsDocument): Promise<void> {
  // A link, as some have it to their dotfiles, stays one.
  const file = await realpath(named).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return named;
    throw error;
  });
  await replaceFile(file, `${JSON.stringify(document, undefined, '\t')}\n`, path.dirname(file), 0o600);
}
