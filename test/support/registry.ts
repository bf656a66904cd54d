import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../src/base/package-root.js';
import { findProgram } from '../../src/executor/runtime.js';
import type { Manifest } from '../../src/oci/descriptor.js';
import type { Certificates } from './certificates.js';
import { RegistryLog, type LoggedRequest } from './registry-log.js';
import { TokenService } from './token-service.js';

export interface RegistryOptions {
  /** HTTPS with the server's certificate. */
  readonly tls?: Certificates;
  /** With `tls`: only clients with a certificate of the same authority are spoken to. */
  readonly clientCertificates?: boolean;
  /** Names and passwords that basic authentication takes. */
  readonly users?: Readonly<Record<string, string>>;
  /** Tokens are wanted, from this service. */
  readonly tokens?: TokenService;
  /** Serves what another registry has, and keeps what was asked for. Nothing can be pushed to it. */
  readonly mirrorOf?: string;
  /** `Location` names only a path. */
  readonly relativeUrls?: boolean;
}

/**
 * Debian's `docker-registry` as a process of its own, on a free port of 127.0.0.1, with its storage below a directory that
 * the caller removes. Stopped by `stop` or `await using`.
 */
export class TestRegistry implements AsyncDisposable {
  readonly dir: string;
  readonly #options: RegistryOptions;
  #log = new RegistryLog();
  #child: ChildProcess | undefined;
  #port = 0;

  private constructor(dir: string, options: RegistryOptions) {
    this.dir = dir;
    this.#options = options;
  }

  /** `dir` is made. Gives a registry that answers. */
  static async start(dir: string, options: RegistryOptions = {}): Promise<TestRegistry> {
    const registry = new TestRegistry(dir, options);
    mkdirSync(registry.storage, { recursive: true });
    if (options.users) writeFileSync(path.join(dir, 'htpasswd'), htpasswd(options.users), { mode: 0o600 });
    await registry.start();
    return registry;
  }

  /** As a reference begins: `127.0.0.1:PORT`. */
  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `${this.#options.tls ? 'https' : 'http'}://${this.host}`;
  }

  get storage(): string {
    return path.join(this.dir, 'storage');
  }

  /** Begins again, on the port it had, with what it stored. */
  async start(): Promise<void> {
    const program = findProgram('docker-registry', process.env) ?? path.join(UNPACKED, 'usr/bin/docker-registry');
    const config = path.join(this.dir, 'config.json');
    writeFileSync(config, JSON.stringify(this.#config()));
    const log = (this.#log = new RegistryLog());
    // It ends with the tests, however they end. Every variable REGISTRY_… would change its configuration.
    const argv = ['--pdeathsig', 'KILL', '--', program, 'serve', config];
    const child = spawn('setpriv', argv, { env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdout.on('data', (chunk: Buffer) => log.takeAccess(chunk));
    child.stderr.on('data', (chunk: Buffer) => log.takeMessages(chunk));
    let failure: Error | undefined;
    child.once('error', (error) => (failure = error));
    while (log.port === undefined) {
      if (failure) throw failure;
      if (child.exitCode !== null || child.signalCode !== null) {
        const end = child.exitCode ?? child.signalCode;
        throw new Error(`docker-registry, which \`npm test\` brings, ended with ${end}:\n${log.messages}`);
      }
      await sleep(10);
    }
    this.#port = log.port;
  }

  /** Ends it; the storage stays. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** What was asked since it started or was last asked for this, in the order in which it was answered. */
  async takeRequests(): Promise<readonly LoggedRequest[]> {
    const mark = this.#log.newMark();
    await this.#ask(`/v2/?${mark}`);
    while (!this.#log.has(mark)) {
      if (!this.#child || this.#child.exitCode !== null) throw new Error('the registry is not running');
      await sleep(5);
    }
    return this.#log.take(mark);
  }

  /** What the registry says for itself, for messages. */
  get messages(): string {
    return this.#log.messages;
  }

  /** What a tag stands for, as it lies in the storage; undefined for a tag that is not there. */
  tagged(repository: string, tag: string): StoredManifest | undefined {
    const link = path.join(this.#v2, 'repositories', repository, '_manifests/tags', tag, 'current/link');
    if (!existsSync(link)) return undefined;
    const digest = readFileSync(link, 'utf8');
    return { digest, document: JSON.parse(this.blob(digest).toString('utf8')) as Manifest };
  }

  /** Bytes of a blob or manifest of any repository. */
  blob(digest: string): Buffer {
    const hex = digest.slice('sha256:'.length);
    return readFileSync(path.join(this.#v2, 'blobs/sha256', hex.slice(0, 2), hex, 'data'));
  }

  get #v2(): string {
    return path.join(this.storage, 'docker/registry/v2');
  }

  async #ask(target: string): Promise<void> {
    const { tls, clientCertificates } = this.#options;
    const trust = tls && { ca: readFileSync(tls.ca.cert) };
    const identity = tls &&
      clientCertificates && { cert: readFileSync(tls.client.cert), key: readFileSync(tls.client.key) };
    const options = { agent: false, ...trust, ...identity };
    await new Promise<void>((resolve, reject) => {
      const request = (tls ? https : http).get(new URL(target, this.url), options, (response) => {
        response.resume().once('end', resolve);
      });
      request.once('error', reject);
    });
  }

  #config(): object {
    const { tls, clientCertificates, users, tokens, mirrorOf, relativeUrls } = this.#options;
    return {
      version: '0.1',
      log: { level: 'info', formatter: 'json', accesslog: { disabled: false } },
      storage: {
        filesystem: { rootdirectory: this.storage },
        delete: { enabled: true },
        maintenance: { uploadpurging: { enabled: false } },
      },
      http: {
        addr: this.#port === 0 ? '127.0.0.1:0' : this.host,
        relativeurls: relativeUrls ?? false,
        ...(tls && {
          tls: {
            certificate: tls.server.cert,
            key: tls.server.key,
            ...(clientCertificates && { clientcas: [tls.ca.cert] }),
          },
        }),
      },
      ...(users && { auth: { htpasswd: { realm: 'test', path: path.join(this.dir, 'htpasswd') } } }),
      ...(tokens && {
        auth: {
          token: {
            realm: tokens.realm,
            service: TokenService.service,
            issuer: TokenService.issuer,
            rootcertbundle: tokens.certificate,
          },
        },
      }),
      ...(mirrorOf !== undefined && { proxy: { remoteurl: mirrorOf } }),
    };
  }
}

/** A manifest of a registry. */
export interface StoredManifest {
  readonly digest: string;
  readonly document: Manifest;
}

/** Where scripts/setup.mjs unpacks packages that it does not install. */
const UNPACKED = path.join(packageRoot(), 'node_modules/.programs');

/** The file of basic authentication: bcrypt, by the C library's crypt. */
function htpasswd(users: Readonly<Record<string, string>>): string {
  const script = 'my ($p, $s) = @ARGV; print crypt($p, "\\$2y\\$04\\$$s")';
  return Object.entries(users)
    .map(([name, password], n) => {
      const salt = `slipwaytestsalt${n}`.padEnd(22, 'a').slice(0, 22);
      return `${name}:${execFileSync('perl', ['-e', script, password, salt], { encoding: 'utf8' })}\n`;
    })
    .join('');
}
