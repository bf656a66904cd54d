import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { makeCertificates, type Certificates } from './certificates.js';
import { TestRegistry, type RegistryOptions } from './registry.js';
import type { Ended, SlipwayOptions } from './slipway.js';
import { TokenService, type TokenServiceOptions } from './token-service.js';
import { test as withWorkspace, type Workspace } from './workspace.js';

const run = promisify(execFile);

/** Variables by which a machine could change how a registry is reached. */
const NO_PROXIES = Object.fromEntries(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
    [name, ''],
    [name.toLowerCase(), ''],
  ]),
);

/** What tests with registries need besides a workspace: registries that end with the test, files of settings of its own. */
export class RegistryBench implements AsyncDisposable {
  readonly #work: Workspace;
  readonly #open: AsyncDisposable[] = [];
  #certificates: Certificates | undefined;
  #count = 0;

  constructor(work: Workspace) {
    this.#work = work;
    mkdirSync(this.dockerConfig);
    this.config('');
    writeFileSync(this.authFile, '{}');
    writeFileSync(this.policy, '{"default": [{"type": "insecureAcceptAnything"}]}');
  }

  /** `DOCKER_CONFIG`. */
  get dockerConfig(): string {
    return this.#work.path('docker');
  }

  get #toml(): string {
    return this.#work.path('config.toml');
  }

  /** Credentials for skopeo and buildah, and the rule that they ask for no signature. */
  get authFile(): string {
    return this.#work.path('auth.json');
  }

  get policy(): string {
    return this.#work.path('policy.json');
  }

  get env(): Readonly<Record<string, string>> {
    return {
      ...NO_PROXIES,
      DOCKER_CONFIG: this.dockerConfig,
      DOCKER_AUTH_CONFIG: '',
      REGISTRY_AUTH_FILE: '',
      SLIPWAY_CONFIG: this.#toml,
      SLIPWAY_OFFLINE: '0',
    };
  }

  get certificates(): Certificates {
    return (this.#certificates ??= makeCertificates(this.#work.path('certificates')));
  }

  /** Writes config.toml. */
  config(text: string): void {
    writeFileSync(this.#toml, text);
  }

  /** Writes `auths` of config.json. */
  dockerAuth(auths: Readonly<Record<string, object>>): void {
    writeFileSync(`${this.dockerConfig}/config.json`, JSON.stringify({ auths }));
  }

  async start(options: RegistryOptions = {}): Promise<TestRegistry> {
    const registry = await TestRegistry.start(this.#work.path(`registry-${++this.#count}`), options);
    this.#open.push(registry);
    return registry;
  }

  async startTokens(options: TokenServiceOptions): Promise<TokenService> {
    const service = await TokenService.start(this.#work.path(`tokens-${++this.#count}`), options);
    this.#open.push(service);
    return service;
  }

  /** A command of slipway on the store of the workspace, whatever comes of it. */
  async run(args: readonly string[], options: SlipwayOptions = {}): Promise<Ended> {
    return await this.#work.run(args, { ...options, env: { ...this.env, ...options.env } });
  }

  async ok(args: readonly string[], options: SlipwayOptions = {}): Promise<Ended> {
    const ended = await this.run(args, options);
    if (ended.code === 0) return ended;
    throw new Error(`slipway ${args.join(' ')} ended with ${ended.code ?? ended.signal}:\n${ended.output}`);
  }

  /** Builds the context of the workspace, with these flags; gives what was printed. */
  async build(...flags: readonly string[]): Promise<Ended> {
    return await this.ok(['build', '--progress', 'plain', ...flags, this.#work.context]);
  }

  /** skopeo, the judge from outside; gives stdout. */
  async skopeo(command: string, ...args: readonly string[]): Promise<string> {
    const env = { ...process.env, ...NO_PROXIES, REGISTRY_AUTH_FILE: this.authFile };
    const options = { env, maxBuffer: 1 << 26 };
    return (await run('skopeo', ['--policy', this.policy, command, ...args], options)).stdout;
  }

  /** buildah, with images and containers of its own below the workspace; gives stdout. */
  async buildah(command: string, ...args: readonly string[]): Promise<string> {
    const dir = this.#work.path('buildah');
    const env = { ...process.env, ...NO_PROXIES, REGISTRY_AUTH_FILE: this.authFile, BUILDAH_ISOLATION: 'chroot' };
    const store = ['--root', `${dir}/root`, '--runroot', `${dir}/run`, '--storage-driver', 'vfs'];
    const transport = ['pull', 'push', 'from'].includes(command);
    const policy = transport ? ['--signature-policy', this.policy, '--tls-verify=false'] : [];
    return (await run('buildah', [...store, command, ...policy, ...args], { env })).stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open.toReversed()) await one[Symbol.asyncDispose]();
  }
}

/** `test` with a workspace and a bench, which are removed afterwards. */
export const test = withWorkspace.extend<{ bench: RegistryBench }>({
  bench: async ({ work }, use) => {
    await using bench = new RegistryBench(work);
    await use(bench);
  },
});

/** A table of config.toml. */
export function hostTable(
  host: string,
  settings: Readonly<Record<string, string | boolean | readonly string[]>>,
): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  return `[registry."${host}"]\n${lines.join('')}`;
}
