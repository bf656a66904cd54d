import type { Cancel } from '../base/abort.js';
import { OnceMap } from '../base/once-map.js';
import type { Challenge } from './challenge.js';
import { basicValue, secretsOf, type Credentials, type CredentialSource } from './credentials.js';
import { RegistryFailure } from './failure.js';
import type { Token } from './tokens.js';
import type { Scope } from './types.js';

/** Why authorization is asked for. */
export interface Purpose extends Cancel {
  readonly scopes: readonly Scope[];
  readonly doing: string;
}

export interface TokenDemand extends Cancel {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly doing: string;
}

export interface AuthorizerOptions {
  /** As in a reference. */
  readonly registry: string;
  readonly credentials: CredentialSource;
  readonly fetchToken: (demand: TokenDemand) => Promise<Token>;
}

/** How the registry wants to be spoken to, once it has said so. */
type Method =
  | { readonly kind: 'basic' }
  | {
      readonly kind: 'bearer';
      readonly realm: URL;
      readonly service: string | undefined;
      /** As the registry itself: false for a realm over plain HTTP that was named over TLS. */
      readonly isProtected: boolean;
    };

interface KeptToken {
  readonly token: string;
  readonly expiresAt: number;
}

/**
 * The values of `Authorization` for one registry: found out by its challenges, kept as long as they last, shared by the
 * requests that run at the same time.
 */
export class Authorizer {
  /** Whatever must not be shown of what is sent to this registry. */
  readonly secrets = new Set<string>();
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, KeptToken>();
  readonly #fetching = new OnceMap<string, string>();
  /** What the registry asked for, by the scopes of the request. */
  readonly #demanded = new Map<string, readonly string[]>();
  readonly #credentials = new Map<string, Credentials | undefined>();
  readonly #finding = new OnceMap<string, Credentials | undefined>();
  #method: Method | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** Whether there were credentials for what was asked so far. */
  get isLoggedIn(): boolean {
    return [...this.#credentials.values()].some((one) => one !== undefined);
  }

  /** What to send before the registry asks; undefined as long as it never asked. */
  async header(purpose: Purpose): Promise<string | undefined> {
    if (this.#method === undefined) return undefined;
    return await this.#make(this.#method, purpose);
  }

  /**
   * What to send after a 401 to a request with `used`. Undefined when nothing better is known. Throws REGISTRY_FAILED for
   * a challenge that cannot be heeded, and what the token service throws.
   */
  async answer(
    challenges: readonly Challenge[],
    used: string | undefined,
    isTls: boolean,
    purpose: Purpose,
  ): Promise<string | undefined> {
    const challenge =
      challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges.find(({ scheme }) => scheme === 'basic');
    if (!challenge) return undefined;
    if (challenge.scheme === 'basic') this.#method = { kind: 'basic' };
    else {
      const realm = this.#realm(challenge, purpose);
      const isProtected = !isTls || realm.protocol === 'https:';
      this.#method = { kind: 'bearer', realm, service: challenge.params.get('service'), isProtected };
      const demanded = (challenge.params.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
      this.#demanded.set(keyOf(scopeTexts(purpose.scopes)), demanded);
      const key = keyOf(this.#wanted(purpose.scopes));
      // Another request may have got a new one meanwhile.
      if (`Bearer ${this.#tokens.get(key)?.token}` === used) this.#tokens.delete(key);
    }
    const header = await this.#make(this.#method, purpose);
    return header === used ? undefined : header;
  }

  async #make(method: Method, purpose: Purpose): Promise<string | undefined> {
    const credentials = await this.#find(purpose);
    if (credentials?.kind === 'registry-token') return `Bearer ${credentials.token}`;
    if (method.kind === 'basic') return credentials?.kind === 'basic' ? `Basic ${basicValue(credentials)}` : undefined;
    return `Bearer ${await this.#token(method, credentials, purpose)}`;
  }

  async #token(
    { realm, service, isProtected }: Extract<Method, { kind: 'bearer' }>,
    credentials: Credentials | undefined,
    { scopes, doing, signal }: Purpose,
  ): Promise<string> {
    if (credentials && !isProtected) throw this.#unprotected(realm, doing);
    const wanted = this.#wanted(scopes);
    const key = keyOf(wanted);
    const kept = this.#tokens.get(key);
    if (kept && kept.expiresAt > performance.now()) return kept.token;
    return await this.#fetching.run(key, signal, async (signal) => {
      const askedAt = performance.now();
      const { token, lifeMs } = await this.#options.fetchToken({
        realm,
        service,
        scopes: wanted,
        credentials,
        doing,
        signal,
      });
      this.secrets.add(token);
      this.#tokens.set(key, { token, expiresAt: askedAt + lifeMs });
      return token;
    });
  }

  /** The scopes of a request, and what the registry asked for beyond them. */
  #wanted(scopes: readonly Scope[]): readonly string[] {
    const own = scopeTexts(scopes);
    return [...new Set([...own, ...(this.#demanded.get(keyOf(own)) ?? [])])];
  }

  async #find({ scopes, signal }: Purpose): Promise<Credentials | undefined> {
    const repository = scopes[0]?.repository;
    const key = repository ?? '';
    if (this.#credentials.has(key)) return this.#credentials.get(key);
    const { registry, credentials } = this.#options;
    return await this.#finding.run(key, signal, async (signal) => {
      const found = await credentials.find({ registry, ...(repository !== undefined && { repository }) }, { signal });
      for (const secret of found ? secretsOf(found) : []) this.secrets.add(secret);
      this.#credentials.set(key, found);
      return found;
    });
  }

  /** Where tokens are had. */
  #realm({ params }: Challenge, { doing }: Purpose): URL {
    const text = params.get('realm') ?? '';
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    const { registry } = this.#options;
    if (realm?.protocol !== 'https:' && realm?.protocol !== 'http:') {
      throw new RegistryFailure('REGISTRY_FAILED', `${doing}: \`${registry}\` names a token service that is no URL`, {
        hint: 'its `WWW-Authenticate` needs `realm="https://…"`; for docker-registry that is `auth.token.realm`',
      });
    }
    realm.username = '';
    realm.password = '';
    return realm;
  }

  /** Credentials go wherever the registry says, but not unprotected where it is protected itself. */
  #unprotected(realm: URL, doing: string): RegistryFailure {
    const { registry } = this.#options;
    return new RegistryFailure(
      'REGISTRY_FAILED',
      `${doing}: \`${registry}\` wants credentials to be sent to \`${realm.host}\` over plain HTTP`,
      { hint: 'its token service must be reached by https, as it is itself' },
    );
  }
}

/** `repository:name:pull,push`; one of each repository, with all that is to be done there. */
export function scopeTexts(scopes: readonly Scope[]): readonly string[] {
  const byRepository = new Map<string, Scope['actions']>();
  for (const { repository, actions } of scopes) {
    if (byRepository.get(repository) !== 'push,pull') byRepository.set(repository, actions);
  }
  return [...byRepository].map(([name, actions]) => `repository:${name}:${actions === 'pull' ? 'pull' : 'pull,push'}`);
}

function keyOf(scopes: readonly string[]): string {
  return scopes.toSorted().join(' ');
}
