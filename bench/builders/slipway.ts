import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/base/package-root.js';
import { printedBy, type Builder, type BuildRequest } from './builder.js';

const PROGRAM = path.join(packageRoot(), 'bin/slipway');

/** Slipway as it is built here. */
export class Slipway implements Builder {
  readonly name = 'slipway';
  readonly env = process.env;
  readonly #root: string;
  readonly #node: readonly string[];

  /** `profiles`: a folder that the main process writes its processor profile to. */
  constructor(dir: string, { profiles }: { readonly profiles?: string | undefined } = {}) {
    this.#root = path.join(dir, 'slipway');
    this.#node = [process.execPath, ...(profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [])];
  }

  async start(): Promise<void> {
    mkdirSync(path.dirname(this.#root), { recursive: true });
  }

  async stop(): Promise<void> {
    await this.forget();
  }

  async forget(): Promise<void> {
    rmSync(this.#root, { recursive: true, force: true });
  }

  version(): string {
    return printedBy([process.execPath, PROGRAM, '--version']).trim();
  }

  /** Not what a RUN starts. */
  isOwn(argv: readonly string[]): boolean {
    return argv.includes(PROGRAM) || argv.some((one) => one.endsWith('/bin/worker.cjs'));
  }

  command({ context, file, bases = {}, output, noCache = false }: BuildRequest): readonly string[] {
    const flags = ['--root', this.#root, '--progress=plain', '-f', file];
    if (noCache) flags.push('--no-cache');
    for (const [name, ref] of Object.entries(bases)) flags.push(`--build-context=${name}=docker-image://${ref}`);
    if (output.kind === 'push') flags.push('--push', '-t', output.ref);
    else flags.push('-t', 'bench');
    if (output.kind === 'archive') flags.push('-o', `type=oci,dest=${output.dest}`);
    return [...this.#node, PROGRAM, 'build', ...flags, context];
  }
}
