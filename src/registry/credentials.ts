import type { Cancel } from '../base/abort.js';

/** What a user is known by at a registry. Never part of an error, an event or a log. */
export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** Given to the registry's token service in place of name and password (`identitytoken`). */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** Sent to the registry as it is (`registrytoken`). */
  | { readonly kind: 'registry-token'; readonly token: string };

export interface CredentialQuery {
  /** As in a reference: `docker.io`, `localhost:5000`. */
  readonly registry: string;
  /** Some tools keep credentials by repository. */
  readonly repository?: string;
}

/** Where credentials are looked up. */
export interface CredentialSource {
  /** Undefined when there are none: the registry is then asked as nobody. */
  find(query: CredentialQuery, opts: Cancel): Promise<Credentials | undefined>;
}

/** Nobody. */
export const anonymous: CredentialSource = { find: async () => undefined };

/** The parts of credentials, and of what is made of them, that must not be shown. */
export function secretsOf(credentials: Credentials): readonly string[] {
  if (credentials.kind !== 'basic') return [credentials.token];
  return [credentials.password, basicValue(credentials)];
}

/** What follows `Basic ` in a header. */
export function basicValue({ username, password }: { readonly username: string; readonly password: string }): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}
