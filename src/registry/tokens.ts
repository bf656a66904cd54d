import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { Connections } from './connections.js';
import { basicValue, secretsOf, type Credentials } from './credentials.js';
import { isOfTheNetwork, RegistryFailure, unexpectedAnswer } from './failure.js';
import { noAnswer } from './network-failure.js';
import { readUpTo } from './read-answer.js';
import { follow, Unanswered } from './redirects.js';
import { pause, retryDelay, type Timing } from './retry.js';

export interface Token {
  readonly token: string;
  /** Milliseconds that it may be used from now on. */
  readonly lifeMs: number;
}

export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  /** The registry that asks for it, and what is being done there, for errors. */
  readonly registry: string;
  readonly doing: string;
  readonly insecure: boolean;
}

const MAX_ANSWER = 256 * 1024;
const CLIENT_ID = 'slipway';
/** What the specification says when the service does not. */
const DEFAULT_SECONDS = 60;

/**
 * Asks a token service: with GET, and HTTP's basic authentication if there is a user; with OAuth2's POST where there is an
 * identity token. Throws REGISTRY_DENIED and REGISTRY_FAILED.
 */
export async function fetchToken(
  connections: Connections,
  request: TokenRequest,
  timing: Timing,
  { signal }: Cancel,
): Promise<Token> {
  const { credentials, realm, registry, doing } = request;
  const secrets = credentials ? secretsOf(credentials) : [];
  const facts = { doing, server: realm.host, realm, secrets };
  for (let attempt = 1; ; attempt++) {
    let failure: RegistryFailure;
    let delay: number | undefined;
    const deadline = AbortSignal.timeout(timing.tokenMs);
    try {
      const answer = await follow(connections, {
        ...wireForm(request),
        home: realm.origin,
        insecure: request.insecure,
        doing,
        signal: AbortSignal.any([signal, deadline]),
      });
      const body = (await readUpTo(answer.body, MAX_ANSWER)).toString();
      const { status } = answer;
      if (status === 200) return parseToken(body, request);
      failure = unexpectedAnswer({ ...facts, registry, status, body, isLoggedIn: credentials !== undefined });
      delay = failure.isTransient ? retryDelay(attempt, answer.headers['retry-after'], timing) : undefined;
    } catch (error) {
      signal.throwIfAborted();
      const isNoAnswer = error instanceof Unanswered || deadline.aborted || isOfTheNetwork(error);
      if (error instanceof BuildError || !isNoAnswer) throw error;
      failure = unanswered(error, deadline, { ...facts, connections });
      delay = failure.isTransient && !deadline.aborted ? retryDelay(attempt, undefined, timing) : undefined;
    }
    if (delay === undefined) throw failure;
    await pause(delay, { signal });
  }
}

function unanswered(
  error: unknown,
  deadline: AbortSignal,
  facts: {
    readonly doing: string;
    readonly realm: URL;
    readonly secrets: readonly string[];
    readonly connections: Connections;
  },
): RegistryFailure {
  const { url, reason } = error instanceof Unanswered ? error : { url: facts.realm, reason: error };
  const cause = deadline.aborted ? Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }) : reason;
  return noAnswer(cause, { ...facts, url, proxy: facts.connections.proxyOf(url) });
}

type WireForm = Pick<
  Parameters<typeof follow>[1],
  'url' | 'method' | 'headers' | 'authorization' | 'body' | 'isBodySecret'
>;

function wireForm({ realm, service, scopes, credentials }: TokenRequest): WireForm {
  if (credentials?.kind === 'identity-token') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.token,
      client_id: CLIENT_ID,
    });
    if (service !== undefined) form.set('service', service);
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    return {
      url: realm,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      authorization: undefined,
      body: () => Buffer.from(form.toString()),
      isBodySecret: true,
    };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials?.kind !== 'basic') return { url, method: 'GET', headers: {}, authorization: undefined };
  url.searchParams.set('account', credentials.username);
  return { url, method: 'GET', headers: {}, authorization: `Basic ${basicValue(credentials)}` };
}

function parseToken(body: string, { doing, realm }: TokenRequest): Token {
  let found: Record<string, unknown> = {};
  try {
    found = (JSON.parse(body) ?? {}) as typeof found;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // judged below: there is no token in it
  }
  const token = [found['token'], found['access_token']].find((one) => typeof one === 'string' && one !== '');
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new RegistryFailure('REGISTRY_FAILED', `${doing}: the token service \`${realm.host}\` gave no token`);
  }
  const seconds = found['expires_in'];
  const life = typeof seconds === 'number' && seconds > 0 ? seconds : DEFAULT_SECONDS;
  // A tenth is left for the way to the registry.
  return { token, lifeMs: life * 900 };
}
