import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { Dockerd } from '../../test/support/dockerd.js';
import { newerDockerdRoot } from '../../test/support/newer-dockerd.js';
import { printedBy, type Builder, type BuildRequest } from './builder.js';

const PLUGIN = 'usr/libexec/docker/cli-plugins/docker-buildx';

/** `docker buildx build` with a Docker engine as it comes, warm. */
export class DockerBuilder implements Builder {
  readonly name = 'docker';
  readonly #dir: string;
  readonly #root: string;
  #dockerd: Dockerd | undefined;

  constructor(root: string, dir: string) {
    this.#root = root;
    this.#dir = path.join(dir, 'docker');
  }

  /** The folder with engine, client and buildx; a text says what is missing. */
  static find(): { readonly root: string } | string {
    const root = newerDockerdRoot();
    if (process.getuid?.() !== 0) return 'dockerd is started as root';
    if (root === undefined) return 'no Docker engine: `node scripts/newer-dockerd.mjs` makes one';
    if (existsSync(path.join(root, PLUGIN))) return { root };
    return `no buildx in ${root}: remove the folder, and \`node scripts/newer-dockerd.mjs\` makes it with one`;
  }

  get env(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.#dockerd?.env };
  }

  async start(): Promise<void> {
    const plugins = path.join(this.#dir, 'config/cli-plugins');
    mkdirSync(plugins, { recursive: true });
    symlinkSync(path.join(this.#root, PLUGIN), path.join(plugins, 'docker-buildx'));
    this.#dockerd = await Dockerd.start(this.#dir, 'newer');
  }

  async stop(): Promise<void> {
    await this.#dockerd?.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async forget(): Promise<void> {
    this.#client('buildx', 'prune', '--all', '--force');
    this.#client('image', 'prune', '--all', '--force');
  }

  version(): string {
    const engine = this.#client('version', '--format', '{{.Server.Version}}').trim();
    return `dockerd ${engine}, ${this.#client('buildx', 'version').trim()}`;
  }

  /** Its own store of images cannot give an OCI archive. */
  command({ context, file, bases = {}, output, noCache = false }: BuildRequest): readonly string[] | undefined {
    if (output.kind === 'archive') return undefined;
    const flags = ['--progress=plain', '--network=host', '--allow=network.host', '-f', file];
    if (noCache) flags.push('--no-cache');
    for (const [name, ref] of Object.entries(bases)) flags.push(`--build-context=${name}=docker-image://${ref}`);
    if (output.kind === 'push') flags.push('--push', '-t', output.ref);
    else flags.push('-t', 'bench');
    return [this.#program, 'buildx', 'build', ...flags, context];
  }

  get #program(): string {
    return path.join(this.#root, 'usr/bin/docker');
  }

  #client(...args: readonly string[]): string {
    return printedBy([this.#program, ...args], this.env);
  }
}
