import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { findProgram } from '../../src/executor/runtime.js';
import { printedBy, type Builder, type BuildRequest } from './builder.js';

/** `buildah build --layers`, as root. */
export class BuildahBuilder implements Builder {
  readonly name = 'buildah';
  readonly env: NodeJS.ProcessEnv;
  readonly #program: string;
  readonly #dir: string;

  constructor(program: string, dir: string) {
    this.#program = program;
    this.#dir = path.join(dir, 'buildah');
    this.env = { ...process.env, TMPDIR: this.#dir };
  }

  /** The program; a text says what is missing. */
  static find(): { readonly program: string } | string {
    const program = findProgram('buildah', process.env);
    return program === undefined ? 'buildah is not installed: it is in Debian' : { program };
  }

  async start(): Promise<void> {
    mkdirSync(this.#dir, { recursive: true });
  }

  async stop(): Promise<void> {
    await this.forget();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async forget(): Promise<void> {
    printedBy([...this.#storage(), 'rmi', '--all', '--force'], this.env);
  }

  version(): string {
    return printedBy([this.#program, '--version']).trim();
  }

  command({ context, file, bases = {}, output, noCache = false }: BuildRequest): readonly string[] {
    const tag = output.kind === 'push' ? output.ref : 'bench';
    const flags = ['--layers', '--isolation=oci', '--network=host', '--tls-verify=false', '-f', file, '-t', tag];
    if (noCache) flags.push('--no-cache');
    for (const [name, ref] of Object.entries(bases)) flags.push(`--build-context=${name}=docker://${ref}`);
    const build = [...this.#storage(), 'build', ...flags, context];
    if (output.kind === 'store') return build;
    const to = output.kind === 'push' ? `docker://${output.ref}` : `oci-archive:${output.dest}`;
    const push = [...this.#storage(), 'push', '--tls-verify=false', tag, to];
    return ['sh', '-c', `${quoted(build)} && ${quoted(push)}`];
  }

  #storage(): readonly string[] {
    const place = ['--root', path.join(this.#dir, 'root'), '--runroot', path.join(this.#dir, 'run')];
    return [this.#program, ...place, '--storage-driver', 'overlay'];
  }
}

function quoted(argv: readonly string[]): string {
  return argv.map((one) => `'${one.replaceAll("'", `'\\''`)}'`).join(' ');
}
