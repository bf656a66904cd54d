import { randomBytes } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeRepository, refuse, type ContentOptions } from './fake-registry-content.js';
import { Faults, type FakeAnswer, type Fault, type SeenRequest } from './fake-registry-faults.js';

export interface FakeRegistryOptions extends Partial<ContentOptions> {
  readonly auth?: 'none' | 'basic' | 'token';
  readonly username?: string;
  readonly password?: string;
}

/**
 * A registry in this process, over HTTP, that holds clients strictly to the distribution specification and misbehaves
 * only as it is told. To be closed.
 */
export class FakeRegistry {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly requests: SeenRequest[] = [];
  readonly #server: http.Server;
  readonly #options: FakeRegistryOptions;
  readonly #repositories = new Map<string, FakeRepository>();
  readonly #faults = new Faults();
  /** All that were ever given. */
  readonly tokens: string[] = [];
  /** What each token allows: `name:action`. */
  readonly #tokens = new Map<string, ReadonlySet<string>>();

  private constructor(server: http.Server, options: FakeRegistryOptions) {
    this.#server = server;
    this.#options = options;
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeRegistry(server, options);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The first fault that suits a request hits it. */
  misbehave(...faults: readonly Fault[]): void {
    for (const fault of faults) this.#faults.add(fault);
  }

  repository(name: string): FakeRepository {
    let found = this.#repositories.get(name);
    if (!found) {
      const { referrers = true, minChunk } = this.#options;
      this.#repositories.set(name, (found = new FakeRepository(name, { referrers, minChunk })));
    }
    return found;
  }

  /** Uploads that nobody ended. */
  get openUploads(): number {
    return [...this.#repositories.values()].reduce((sum, one) => sum + one.uploads.size, 0);
  }

  count(method: string, path: string | RegExp = ''): number {
    return this.requests.filter((one) => one.method === method && one.path.search(path) >= 0).length;
  }

  /** Every token that was given so far is refused from now on. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request; // a request that is no longer read loses it
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const url = new URL(request.url!, `http://${this.host}`);
    const seen: SeenRequest = {
      method: request.method!,
      path: url.pathname.replace(/^\/v2\//, ''),
      url,
      headers: request.headers as SeenRequest['headers'],
      bodyBytes: 0,
      status: 0,
    };
    this.requests.push(seen);
    const fault = this.#faults.hit(seen);
    if (fault?.delayMs) await sleep(fault.delayMs);
    const { instead } = fault ?? {};
    if (instead === 'silence') return;
    if (instead === 'cut') return void socket.destroy();
    const given = typeof instead === 'function' ? instead(seen) : instead;
    if (given) {
      request.resume();
      return await this.#send(seen, request, response, given, fault);
    }
    const answer = await this.#answer(seen, request, fault?.cutRequestAt);
    if (answer === undefined || fault?.cutAnswer) return void socket.destroy();
    await this.#send(seen, request, response, fault?.change?.(answer, seen) ?? answer, fault);
  }

  async #send(
    seen: SeenRequest,
    request: IncomingMessage,
    response: ServerResponse,
    { status, headers = {}, body = Buffer.alloc(0) }: FakeAnswer,
    fault: Fault | undefined,
  ): Promise<void> {
    seen.status = status;
    const hasLength = 'content-length' in headers || 'transfer-encoding' in headers || status === 204;
    response.writeHead(status, { ...(!hasLength && { 'content-length': body.length }), ...headers });
    if (seen.method === 'HEAD') return void response.end();
    if (fault?.cutAnswerAt !== undefined) {
      response.flushHeaders();
      return void response.write(body.subarray(0, fault.cutAnswerAt), () =>
        setImmediate(() => request.socket.destroy()),
      );
    }
    if (fault?.stallAnswerAt !== undefined) return void response.write(body.subarray(0, fault.stallAnswerAt));
    const pieces = fault?.trickle ?? 1;
    for (let i = 0; i < pieces; i++) {
      const [from, to] = [i, i + 1].map((one) => Math.floor((body.length * one) / pieces));
      response.write(body.subarray(from, to));
      if (pieces > 1) await sleep(1);
    }
    response.end();
  }

  /** Undefined when the connection is to be cut. */
  async #answer(seen: SeenRequest, request: IncomingMessage, cutAt?: number): Promise<FakeAnswer | undefined> {
    const denied = seen.url.pathname === '/token' ? this.#token(seen) : this.#denied(seen);
    if (denied) {
      request.resume();
      return denied;
    }
    const [, name, kind, rest = ''] = /^(.+?)\/(blobs\/uploads|blobs|manifests|referrers)\/(.*)$/.exec(seen.path) ?? [];
    if (name === undefined) return seen.path === '' ? { status: 200 } : refuse(404, 'NAME_UNKNOWN');
    const repository = this.repository(name);
    if (kind === 'blobs/uploads') return await this.#upload(repository, rest, seen, request, cutAt);
    const body = await read(seen, request, cutAt);
    if (body === undefined) return undefined;
    const isRead = seen.method === 'GET' || seen.method === 'HEAD';
    if (kind === 'blobs' && isRead) return repository.getBlob(rest, seen.headers);
    if (kind === 'manifests' && isRead) return repository.getManifest(rest, seen.headers);
    if (kind === 'manifests' && seen.method === 'PUT') return repository.putManifest(rest, body, seen.headers);
    if (kind === 'referrers' && seen.method === 'GET') return repository.getReferrers(rest);
    return refuse(405, 'UNSUPPORTED');
  }

  async #upload(
    repository: FakeRepository,
    id: string,
    seen: SeenRequest,
    request: IncomingMessage,
    cutAt: number | undefined,
  ): Promise<FakeAnswer | undefined> {
    const { method, url } = seen;
    if (id === '' && method === 'POST') {
      request.resume();
      if (seen.headers['content-length'] !== '0') return refuse(411, 'SIZE_INVALID');
      const mount = url.searchParams.get('mount');
      const from = url.searchParams.get('from');
      if (mount === null) return repository.begin();
      return repository.mount(mount, from === null ? undefined : this.#repositories.get(from));
    }
    if (method === 'PATCH' || method === 'PUT') {
      const refused = repository.mayTake(id, seen);
      const keep = refused ? undefined : (bytes: Buffer) => repository.take(id, bytes);
      const whole = await read(seen, request, cutAt, keep);
      if (refused) return refused;
      if (whole === undefined) return undefined;
      return method === 'PATCH' ? repository.taken(id) : repository.finish(id, url.searchParams.get('digest'));
    }
    request.resume();
    if (method === 'GET') return repository.state(id);
    return method === 'DELETE' ? repository.cancel(id) : refuse(405, 'UNSUPPORTED');
  }

  #isUser({ headers }: SeenRequest): boolean {
    const { username = 'user', password = 'pass' } = this.#options;
    return headers['authorization'] === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  #token(seen: SeenRequest): FakeAnswer {
    if (!this.#isUser(seen)) return refuse(401, 'UNAUTHORIZED');
    const token = randomBytes(16).toString('hex');
    const allowed = seen.url.searchParams.getAll('scope').flatMap((scopes) =>
      scopes.split(' ').flatMap((scope) => {
        const [, name, actions = ''] = scope.split(':');
        return actions.split(',').map((action) => `${name}:${action}`);
      }),
    );
    this.#tokens.set(token, new Set(allowed));
    this.tokens.push(token);
    const body = Buffer.from(JSON.stringify({ token, expires_in: 300 }));
    return { status: 200, headers: { 'content-type': 'application/json' }, body };
  }

  #denied(seen: SeenRequest): FakeAnswer | undefined {
    const { auth = 'none' } = this.#options;
    if (auth === 'none' || (auth === 'basic' && this.#isUser(seen))) return undefined;
    if (auth === 'basic') return refuse(401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="fake"' });
    const [name] = seen.path.split(/\/(?:blobs|manifests|referrers)\//);
    const action = seen.method === 'GET' || seen.method === 'HEAD' ? 'pull' : 'push';
    const allowed = this.#tokens.get(seen.headers['authorization']?.replace(/^Bearer /, '') ?? '');
    if (allowed?.has(`${name}:${action}`)) return undefined;
    const scope = `repository:${name}:${action === 'pull' ? 'pull' : 'pull,push'}`;
    const challenge = `Bearer realm="http://${this.host}/token",service="fake",scope="${scope}"`;
    return refuse(401, 'UNAUTHORIZED', { 'www-authenticate': challenge });
  }
}

/** The body whole, or handed to `keep` piece by piece; undefined once `cutAt` bytes of it, or the client, cut it off. */
async function read(
  seen: SeenRequest,
  request: IncomingMessage,
  cutAt = Infinity,
  keep?: (bytes: Buffer) => void,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) {
      const taken = (chunk as Buffer).subarray(0, cutAt - seen.bodyBytes);
      seen.bodyBytes += taken.length;
      if (keep) keep(taken);
      else chunks.push(taken);
      if (seen.bodyBytes >= cutAt) return undefined;
    }
  } catch {
    return undefined;
  }
  return cutAt === Infinity ? Buffer.concat(chunks) : undefined;
}
