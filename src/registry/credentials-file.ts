import { readFile } from 'node:fs/promises';
import { BuildError, hasCode } from '../base/errors.js';
import type { CredentialQuery, Credentials } from './credentials.js';
import { DOCKER_HUB, registryName } from './hosts.js';

/** Docker's `config.json` and what other tools keep in its form. What we do not know of it is kept as it is. */
export interface CredentialsDocument {
  readonly auths?: Readonly<Record<string, unknown>>;
  readonly credHelpers?: Readonly<Record<string, unknown>>;
  readonly credsStore?: unknown;
  readonly [other: string]: unknown;
}

/** Undefined when there is no such file. Throws CONFIG_INVALID, without a word of what stands in the file. */
export async function readCredentialsFile(file: string): Promise<CredentialsFile | undefined> {
  try {
    return new CredentialsFile(parseDocument(await readFile(file, 'utf8'), file), file);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    if (error instanceof BuildError) throw error;
    throw new BuildError('CONFIG_INVALID', `cannot read \`${file}\``, { cause: error });
  }
}

/** `name` says where `text` is from. */
export function parseDocument(text: string, name: string): CredentialsDocument {
  if (text.trim() === '') return {};
  let found: unknown;
  try {
    found = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // What the parser says would quote the text, and so a password.
    throw new BuildError('CONFIG_INVALID', `\`${name}\` is not JSON`, { hint: 'mend it, or move it away' });
  }
  const document = asObject(found);
  const isSound =
    document !== undefined && [document['auths'], document['credHelpers']].every((one) => one == null || asObject(one));
  if (isSound) return document;
  throw new BuildError('CONFIG_INVALID', `\`${name}\` has not the form of Docker's \`config.json\``, {
    hint: '`auths` and `credHelpers` are objects, with one entry for each registry',
  });
}

export class CredentialsFile {
  constructor(
    readonly document: CredentialsDocument,
    readonly name: string,
  ) {}

  /** The NAME of `docker-credential-NAME` that is responsible for a registry. */
  helperFor(registry: string): string | undefined {
    const { credHelpers = {}, credsStore } = this.document;
    const key = keysOf(credHelpers, registry)[0];
    const name = key === undefined ? credsStore : credHelpers[key];
    return typeof name === 'string' && name !== '' ? name : undefined;
  }

  /** What stands in the file itself: an entry of the repository or of what it lies in, else the registry's. */
  find({ registry, repository = '' }: CredentialQuery): Credentials | undefined {
    const { auths = {} } = this.document;
    const parts = repository === '' ? [] : repository.split('/');
    for (let length = parts.length; length >= 0; length--) {
      const place = [registry, ...parts.slice(0, length)].join('/');
      for (const key of keysOf(auths, place)) {
        const found = this.#credentials(key, asObject(auths[key]) ?? {});
        if (found) return found;
      }
    }
    return undefined;
  }

  #credentials(key: string, entry: Readonly<Record<string, unknown>>): Credentials | undefined {
    const text = (name: string): string => (typeof entry[name] === 'string' ? (entry[name] as string) : '');
    if (text('identitytoken') !== '') return { kind: 'identity-token', token: text('identitytoken') };
    if (text('registrytoken') !== '') return { kind: 'registry-token', token: text('registrytoken') };
    if (text('auth') === '') return credentialsOf(text('username'), text('password'));
    const decoded = Buffer.from(text('auth'), 'base64').toString();
    const colon = decoded.indexOf(':');
    if (colon > 0) return credentialsOf(decoded.slice(0, colon), decoded.slice(colon + 1).replace(/\0+$/, ''));
    throw new BuildError('CONFIG_INVALID', `\`${this.name}\`: the entry \`${key}\` is damaged`, {
      hint: '`auth` is `user:password` in base64; `slipway login` writes it anew',
    });
  }
}

/** As helpers and files have it: `<token>` in place of a user says that the secret is an identity token. */
export function credentialsOf(username: string, secret: string): Credentials | undefined {
  if (username === '' || secret === '') return undefined;
  return username === '<token>'
    ? { kind: 'identity-token', token: secret }
    : { kind: 'basic', username, password: secret };
}

/** The keys that stand for a registry or a place in it, in all forms that tools write, the plain one first. */
export function keysOf(entries: Readonly<Record<string, unknown>>, place: string): readonly string[] {
  const keys = Object.keys(entries).filter((key) => placeOf(key) === place);
  const rank = (key: string): number => (key === place || key === DOCKER_HUB.entry ? 0 : 1);
  return keys.toSorted((a, b) => rank(a) - rank(b));
}

/** `host[:port][/repository…]` that a key means: `https://index.docker.io/v1/` is `docker.io`. */
export function placeOf(key: string): string {
  const [host = '', ...rest] = key
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '')
    .replace(/\/v[12]$/, '')
    .split('/');
  return [registryName(host), ...rest].join('/');
}

/** What a registry is called in Docker's files and by its helpers. */
export function entryOf(registry: string): string {
  return registry === DOCKER_HUB.name ? DOCKER_HUB.entry : registry;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}
