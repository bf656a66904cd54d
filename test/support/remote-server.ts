import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

export interface ServedFile {
  readonly body: string | Buffer;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Serves files that a test names, and the git repositories below a directory by git's own HTTP protocol. */
export class RemoteServer {
  /** By path, with its slash. */
  readonly files = new Map<string, ServedFile>();
  /** `METHOD path status`, in order; of git only what it asks first. */
  readonly requests: string[] = [];
  /** What repositories ask for in the header Authorization. */
  authorization: string | undefined;
  readonly #repositories: string;
  readonly #server = http.createServer((request, response) => this.#answer(request, response));

  private constructor(repositories: string) {
    this.#repositories = repositories;
  }

  static async start(repositories: string): Promise<RemoteServer> {
    const server = new RemoteServer(repositories);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  [Symbol.dispose](): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url!, this.url);
    if (pathname.includes('.git/')) return this.#git(request, response, pathname, search.slice(1));
    const file = this.files.get(pathname);
    const isSame = file?.headers?.['etag'] !== undefined && request.headers['if-none-match'] === file.headers['etag'];
    const status = isSame ? 304 : file ? (file.status ?? 200) : 404;
    this.requests.push(`${request.method} ${pathname} ${status}`);
    response.writeHead(status, file?.headers).end(isSame ? undefined : file?.body);
  }

  #git(request: IncomingMessage, response: ServerResponse, pathname: string, query: string): void {
    if (this.authorization !== undefined && request.headers.authorization !== this.authorization) {
      response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
      return;
    }
    if (request.method === 'GET') this.requests.push(`GET ${pathname} 200`);
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: this.#repositories,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: pathname,
        QUERY_STRING: query,
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        GIT_PROTOCOL: (request.headers['git-protocol'] as string | undefined) ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.on('error', () => undefined); // it may end without having read
    request.pipe(child.stdin);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('close', () => {
      const all = Buffer.concat(chunks);
      const end = all.indexOf('\r\n\r\n');
      const headers = new Map(
        all
          .subarray(0, end)
          .toString('latin1')
          .split('\r\n')
          .map((line) => line.split(/: (.*)/s) as [string, string]),
      );
      const status = Number(headers.get('Status')?.slice(0, 3) ?? 200);
      headers.delete('Status');
      response.writeHead(status, Object.fromEntries(headers)).end(all.subarray(end + 4));
    });
  }
}

/** A bare repository that a server serves, written to through a working copy beside it. */
export class TestRepository {
  readonly #copy: string;

  constructor(
    readonly bare: string,
    options: readonly string[] = [],
  ) {
    this.#copy = `${bare}-copy`;
    mkdirSync(this.#copy, { recursive: true });
    execFileSync('git', ['init', '--quiet', '--bare', '-b', 'main', ...options, bare]);
    this.git('init', '--quiet', '-b', 'main', ...options);
    this.git('remote', 'add', 'origin', bare);
  }

  /** Adds and changes files, and publishes the commit on `main` and every tag; gives its hash. */
  commit(files: Readonly<Record<string, string>>, time = 1_000_000_000): string {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(this.#copy, name)), { recursive: true });
      writeFileSync(path.join(this.#copy, name), content);
    }
    this.git('add', '-A');
    this.#run(['commit', '--quiet', '--allow-empty', '-m', 'x'], time);
    this.push();
    return this.git('rev-parse', 'HEAD').trim();
  }

  push(): void {
    this.git('push', '--quiet', '--force', 'origin', 'HEAD:main', '--tags');
  }

  git(...args: readonly string[]): string {
    return this.#run(args, 1_000_000_000);
  }

  #run(args: readonly string[], time: number): string {
    const person = { NAME: 'a', EMAIL: 'a@b', DATE: `${time} +0000` };
    const env = Object.fromEntries(
      Object.entries(person).flatMap(([name, value]) => [
        [`GIT_AUTHOR_${name}`, value],
        [`GIT_COMMITTER_${name}`, value],
      ]),
    );
    const config = ['-c', 'protocol.file.allow=always', '-c', 'commit.gpgsign=false'];
    return execFileSync('git', [...config, ...args], {
      cwd: this.#copy,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', ...env },
    });
  }
}
