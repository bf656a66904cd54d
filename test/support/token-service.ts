import { createHash, createPrivateKey, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeSelfSigned } from './certificates.js';

export interface TokenUser {
  readonly password: string;
  /** What the user may do with a repository. */
  readonly may: (repository: string) => readonly string[];
}

export interface TokenServiceOptions {
  readonly users: Readonly<Record<string, TokenUser>>;
  /** What everybody may do; nothing, unless it is said. */
  readonly anonymous?: (repository: string) => readonly string[];
  /** False: POST is answered with 404, as by services that know only GET. */
  readonly oauth2?: boolean;
}

/** How a client asked, and what it got. */
export interface TokenRequest {
  readonly how: 'anonymous' | 'basic' | 'password' | 'refresh_token' | 'refused';
  readonly user: string;
  readonly scopes: readonly string[];
}

interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/**
 * The authorization service that the distribution specification describes (auth/token, auth/oauth, auth/jwt): gives
 * tokens to who says the right password, each for what was asked and is allowed.
 */
export class TokenService implements AsyncDisposable {
  static readonly service = 'registry.test';
  static readonly issuer = 'slipway-test';

  readonly requests: TokenRequest[] = [];
  /** How long a token is good for; less than -60 makes tokens that a registry refuses, for it forgives a minute. */
  lifetimeSeconds = 300;
  /** PEM file with what a registry needs to check the tokens. */
  readonly certificate: string;
  readonly #key: KeyObject;
  readonly #keyId: string;
  readonly #options: TokenServiceOptions;
  readonly #refreshTokens = new Map<string, string>();
  readonly #server = http.createServer((request, response) => void this.#answer(request, response));

  private constructor(dir: string, options: TokenServiceOptions) {
    const { cert, key } = makeSelfSigned(dir, 'token');
    this.certificate = cert;
    this.#key = createPrivateKey(readFileSync(key));
    this.#keyId = keyId(new X509Certificate(readFileSync(cert)).publicKey);
    this.#options = options;
  }

  /** `dir` is where its key lies. */
  static async start(dir: string, options: TokenServiceOptions): Promise<TokenService> {
    const service = new TokenService(dir, options);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get realm(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.realm);
    if (url.pathname !== '/token') return void response.writeHead(404).end();
    if (request.method === 'GET') return this.#byQuery(request, url.searchParams, response);
    if (request.method !== 'POST' || this.#options.oauth2 === false) return void response.writeHead(404).end();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.#byForm(new URLSearchParams(Buffer.concat(chunks).toString('utf8')), response);
  }

  /** auth/token: GET, with basic authentication or none; a scope may be named several times. */
  #byQuery({ headers }: IncomingMessage, query: URLSearchParams, response: ServerResponse): void {
    const scopes = query.getAll('scope');
    const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
    const [, user = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(basic ?? '', 'base64').toString()) ?? [];
    if (query.get('service') !== TokenService.service) return this.#refuse(user, scopes, response, 400);
    if (headers.authorization !== undefined && !this.#knows(user, password))
      return this.#refuse(user, scopes, response, 401);
    const token = this.#issue(user, scopes);
    this.requests.push({ how: user === '' ? 'anonymous' : 'basic', user, scopes });
    const wantsRefresh = query.get('offline_token') === 'true' && user !== '';
    const refresh = wantsRefresh ? { refresh_token: this.#refreshToken(user) } : {};
    respond(response, 200, { token, access_token: token, ...this.#validity(), ...refresh });
  }

  /** auth/oauth: POST of a form, with a password or a refresh token; one scope field, several scopes with spaces. */
  #byForm(form: URLSearchParams, response: ServerResponse): void {
    const scopes = (form.get('scope') ?? '').split(' ').filter(Boolean);
    const kind = form.get('grant_type');
    const refreshToken = form.get('refresh_token') ?? '';
    const user = (kind === 'password' ? form.get('username') : this.#refreshTokens.get(refreshToken)) ?? '';
    const complete = form.get('service') === TokenService.service && Boolean(form.get('client_id'));
    if (!complete || (kind !== 'password' && kind !== 'refresh_token'))
      return this.#refuse(user, scopes, response, 400);
    const known = kind === 'password' ? this.#knows(user, form.get('password') ?? '') : user !== '';
    if (!known) return this.#refuse(user, scopes, response, 401);
    this.requests.push({ how: kind, user, scopes });
    const wantsRefresh = kind === 'refresh_token' || form.get('access_type') === 'offline';
    respond(response, 200, {
      access_token: this.#issue(user, scopes),
      scope: scopes.join(' '),
      ...this.#validity(),
      ...(wantsRefresh && { refresh_token: kind === 'refresh_token' ? refreshToken : this.#refreshToken(user) }),
    });
  }

  /** A refresh token as a login through a browser would give it. */
  giveRefreshToken(user: string): string {
    return this.#refreshToken(user);
  }

  #refreshToken(user: string): string {
    const token = randomBytes(24).toString('base64url');
    this.#refreshTokens.set(token, user);
    return token;
  }

  #knows(user: string, password: string): boolean {
    return Object.hasOwn(this.#options.users, user) && this.#options.users[user]!.password === password;
  }

  #refuse(user: string, scopes: readonly string[], response: ServerResponse, status: number): void {
    this.requests.push({ how: 'refused', user, scopes });
    respond(response, status, { errors: [{ code: 'UNAUTHORIZED', message: 'incorrect username or password' }] });
  }

  #validity(): object {
    // A client must not be told of less than a minute.
    return { expires_in: Math.max(60, this.lifetimeSeconds), issued_at: new Date().toISOString() };
  }

  #issue(user: string, scopes: readonly string[]): string {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: TokenService.issuer,
      sub: user,
      aud: TokenService.service,
      exp: now + this.lifetimeSeconds,
      nbf: now - 3600,
      iat: now,
      jti: randomBytes(8).toString('hex'),
      access: scopes.map((scope) => this.#allowed(user, scope)).filter(({ actions }) => actions.length > 0),
    };
    const text = [{ typ: 'JWT', alg: 'ES256', kid: this.#keyId }, claims].map(encode).join('.');
    const signature = sign('sha256', Buffer.from(text), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }

  /** What of a scope (`repository:NAME:ACTION,…`) the user may do; less than was asked is no error. */
  #allowed(user: string, scope: string): Access {
    const [, type = '', name = '', actions = ''] = /^([a-z0-9]+):(.+):([a-z,*]*)$/.exec(scope) ?? [];
    const may = [
      ...(this.#options.anonymous?.(name) ?? []),
      ...(user === '' ? [] : this.#options.users[user]!.may(name)),
    ];
    return { type, name, actions: actions.split(',').filter((action) => may.includes(action)) };
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

/** The name of a key as libtrust makes it: 240 bits of a hash, in twelve groups of base32. */
function keyId(key: KeyObject): string {
  const hash = createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 30);
  const bits = [...hash].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = bits.match(/.{5}/g)!.map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[parseInt(five, 2)]);
  return letters.join('').match(/.{4}/g)!.join(':');
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
