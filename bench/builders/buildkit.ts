import path from 'node:path';
import { BuildKit, type BuildKitPrograms } from '../../test/differential/buildkit.js';
import { printedBy, type Builder, type BuildRequest } from './builder.js';

/** BuildKit's own daemon, as root and warm, asked by its own client. */
export class BuildKitBuilder implements Builder {
  readonly name = 'buildkit';
  readonly env = process.env;
  readonly #programs: BuildKitPrograms;
  readonly #dir: string;
  #daemon: BuildKit | undefined;

  constructor(programs: BuildKitPrograms, dir: string) {
    this.#programs = programs;
    this.#dir = path.join(dir, 'buildkit');
  }

  /** A RUN has the machine's network, as the other builders run it here. */
  async start(): Promise<void> {
    this.#daemon = await BuildKit.start(this.#programs, this.#dir, ['--oci-worker-net=host']);
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
  }

  async forget(): Promise<void> {
    printedBy([...this.#client(), 'prune', '--all']);
  }

  version(): string {
    return printedBy([this.#programs.buildkitd, '--version']).trim();
  }

  command({ context, file, bases = {}, output, noCache = false }: BuildRequest): readonly string[] {
    const flags = ['--progress=plain', '--frontend=dockerfile.v0', `--opt=filename=${path.basename(file)}`];
    if (noCache) flags.push('--no-cache');
    for (const [name, ref] of Object.entries(bases)) flags.push(`--opt=context:${name}=docker-image://${ref}`);
    flags.push(
      `--local=context=${context}`,
      `--local=dockerfile=${path.dirname(file)}`,
      `--output=${outputOf(output)}`,
    );
    return [...this.#client(), 'build', ...flags];
  }

  #client(): readonly string[] {
    return [this.#programs.buildctl, '--addr', `unix://${this.#dir}/socket`];
  }
}

function outputOf(output: BuildRequest['output']): string {
  switch (output.kind) {
    case 'store':
      return 'type=image,name=bench';
    case 'archive':
      return `type=oci,dest=${output.dest}`;
    case 'push':
      return `type=image,name=${output.ref},push=true,registry.insecure=true`;
  }
}
