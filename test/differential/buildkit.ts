import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../../src/executor/runtime.js';
import type { Index } from '../../src/oci/descriptor.js';
import { runProgram } from './run-program.js';
import type { BuildRequest } from './request.js';

export interface BuildKitPrograms {
  readonly buildkitd: string;
  readonly buildctl: string;
  readonly runtime: string;
}

/** How a build ended: what a builder says about a failure, or undefined. */
export interface Outcome {
  readonly failure: string | undefined;
}

/** BuildKit's programs, in the folder that SLIPWAY_BUILDKIT_BIN names or on the PATH. A text says what is missing. */
export function findBuildKit(env: NodeJS.ProcessEnv): BuildKitPrograms | string {
  const dir = env['SLIPWAY_BUILDKIT_BIN'];
  const found = (name: string): string | undefined =>
    findProgram(name, dir === undefined ? env : { PATH: path.resolve(dir) });
  const buildkitd = found('buildkitd');
  const buildctl = found('buildctl');
  const runtime = findProgram('runc', env) ?? findProgram('crun', env);
  if (process.getuid?.() !== 0) return 'BuildKit is started as root';
  if (buildkitd === undefined || buildctl === undefined) {
    const where = dir === undefined ? 'on the PATH (SLIPWAY_BUILDKIT_BIN may name their folder)' : `in ${dir}`;
    return `no buildkitd and buildctl ${where}; CONTRIBUTING.md says how to make them`;
  }
  if (runtime === undefined) return 'neither runc nor crun is installed';
  return { buildkitd, buildctl, runtime };
}

const PATIENCE_MS = 30_000;

/** A BuildKit daemon of our own: its socket, root and log lie in one folder, and nothing of it outlives `stop`. */
export class BuildKit {
  readonly #daemon: ChildProcess;
  readonly #buildctl: string;
  readonly #dir: string;
  readonly #ended: Promise<void>;

  private constructor(daemon: ChildProcess, buildctl: string, dir: string) {
    this.#daemon = daemon;
    this.#buildctl = buildctl;
    this.#dir = dir;
    this.#ended = new Promise((resolve) => daemon.once('close', () => resolve()));
  }

  /** `dir` is made; `more` are further arguments of buildkitd. */
  static async start(
    { buildkitd, buildctl, runtime }: BuildKitPrograms,
    dir: string,
    more: readonly string[] = [],
  ): Promise<BuildKit> {
    const root = path.join(dir, 'root');
    mkdirSync(root, { recursive: true });
    const log = openSync(path.join(dir, 'log'), 'w');
    // Its mounts are in a namespace of its own, and it dies with us: nothing is left to be unmounted, however we end.
    const mounts = ['--pdeathsig', 'KILL', '--', 'unshare', '--mount', '--propagation', 'private', '--'];
    const within = ['sh', '-c', 'mount --bind "$1" "$1" && shift && exec "$@"', 'sh', root];
    const address = ['--root', root, '--addr', `unix://${dir}/socket`];
    const worker = ['--containerd-worker=false', '--oci-worker=true', '--oci-worker-binary', runtime];
    const storage = ['--oci-worker-snapshotter', 'overlayfs', '--oci-worker-gc=false'];
    const argv = [...mounts, ...within, buildkitd, ...address, ...worker, ...storage, ...more];
    const daemon = spawn('setpriv', argv, { stdio: ['ignore', log, log] });
    closeSync(log);
    const buildkit = new BuildKit(daemon, buildctl, dir);
    try {
      await buildkit.#ready();
      return buildkit;
    } catch (error) {
      await buildkit.stop();
      throw error;
    }
  }

  /** Builds into an OCI layout, which is made. */
  async build(request: BuildRequest, layout: string): Promise<Outcome> {
    const output = `type=oci,tar=false,rewrite-timestamp=true,compression=uncompressed,dest=${layout}`;
    const args = ['build', '--progress', 'plain', '--no-cache', '--frontend', 'dockerfile.v0', '--output', output];
    const ended = await this.#control([...args, ...flags(request)]);
    return { failure: ended.code === 0 ? undefined : reason(ended.stderr) };
  }

  async stop(): Promise<void> {
    this.#daemon.kill('SIGTERM');
    const late = setTimeout(() => this.#daemon.kill('SIGKILL'), PATIENCE_MS);
    await this.#ended;
    clearTimeout(late);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while ((await this.#control(['debug', 'workers'])).code !== 0) {
      if (this.#daemon.exitCode !== null || Date.now() > deadline) {
        throw new Error(`buildkitd does not answer:\n${readFileSync(path.join(this.#dir, 'log'), 'utf8')}`);
      }
      await sleep(100);
    }
  }

  #control(args: readonly string[]): Promise<{ readonly code: number | null; readonly stderr: string }> {
    return runProgram(this.#buildctl, ['--addr', `unix://${this.#dir}/socket`, ...args]);
  }
}

function flags(request: BuildRequest): readonly string[] {
  const options: [name: string, value: string | undefined][] = [
    ['filename', path.basename(request.file)],
    ['target', request.target],
    ['platform', request.platform],
    ['force-network-mode', request.network],
    ['shm-size', request.shmSize],
    ['ulimit', request.ulimit],
    ...Object.entries(request.buildArgs).map(([name, value]): [string, string] => [`build-arg:${name}`, value]),
    ...Object.entries(request.labels).map(([name, value]): [string, string] => [`label:${name}`, value]),
  ];
  const out = ['--local', `context=${request.contextDir}`, '--local', `dockerfile=${path.dirname(request.file)}`];
  let n = 0;
  for (const [name, layout] of request.bases) {
    const id = `base${n++}`;
    out.push('--oci-layout', `${id}=${layout}`);
    options.push([`context:${name}`, `oci-layout://${id}@${onlyManifest(layout)}`]);
  }
  for (const [name, dir] of request.contexts) {
    const id = `context${n++}`;
    out.push('--local', `${id}=${dir}`);
    options.push([`context:${name}`, `local:${id}`]);
  }
  for (const [id, file] of request.secrets) out.push('--secret', `id=${id},src=${file}`);
  for (const right of request.allow) out.push('--allow', right);
  for (const [name, value] of options) if (value !== undefined) out.push('--opt', `${name}=${value}`);
  return out;
}

function onlyManifest(layout: string): string {
  const { manifests } = JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8')) as Index;
  if (manifests.length !== 1) throw new Error(`${manifests.length} images in ${layout}, not one`);
  return manifests[0]!.digest;
}

/** What stands after the last `failed to solve: `. */
function reason(stderr: string): string {
  const at = stderr.lastIndexOf('failed to solve: ');
  return (at < 0 ? stderr : stderr.slice(at + 'failed to solve: '.length)).trim();
}
