import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fromText, toText } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import { mount } from '../base/linux/mount.js';
import { unmountBelow } from '../base/linux/mounts-below.js';
import { makeMountStubs } from '../snapshot/mount-stubs.js';
import { ownCapabilities } from './capabilities.js';
import { descendants } from './descendants.js';
import { forbidDevices, makeCwd, makeSystemDirs, mountPoints, tmpfsModes } from './root-fs.js';
import { relayOutput } from './relay-output.js';
import { judge } from './runtime-log.js';
import { hostsFile } from './network/hosts-file.js';
import { machineResolvConf } from './network/resolv-conf.js';
import { ociSpec, type UserNamespace } from './oci-spec.js';
import { findProgram, hasHybridCgroups, runtimeOptions, type Runtime } from './runtime.js';
import type { Executor, ExitStatus, RunOptions, RunSpec } from './types.js';

export interface OciRuntimeOptions {
  readonly runtime: Runtime;
  /** Directory for bundles and the runtime's state, best on a tmpfs. */
  readonly stateDir: string;
  readonly userNamespace: UserNamespace;
  /** What is `/dev/null` for the process; the machine's where it is undefined. */
  readonly nullDevice?: string | undefined;
  /** Environment of the runtime itself; what runs inside gets `RunSpec.env` only. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Runs processes through crun or runc. To be used in a process with its own mount namespace only: it mounts, and counts
 * on its mounts to go with it.
 */
export class OciRuntime implements Executor {
  readonly #options: OciRuntimeOptions;
  #cgroupsReady = false;

  constructor(options: OciRuntimeOptions) {
    this.#options = options;
  }

  async run(spec: RunSpec, opts: RunOptions): Promise<ExitStatus> {
    opts.signal.throwIfAborted();
    this.#prepareCgroups();
    mkdirSync(this.#options.stateDir, { recursive: true, mode: 0o700 });
    const bundle = mkdtempSync(path.join(this.#options.stateDir, 'run-'));
    const root = fromText(spec.rootfs);
    let releaseRoot = (): void => undefined;
    try {
      if (!spec.insecure) releaseRoot = forbidDevices(root);
      const cwd = makeCwd(root, fromText(spec.cwd));
      makeSystemDirs(root);
      const modes = tmpfsModes(root, spec);
      const stubs = makeMountStubs(root, mountPoints(spec));
      try {
        this.#writeBundle(bundle, spec, `/${toText(cwd)}`, modes);
        return await this.#runBundle(bundle, opts);
      } finally {
        stubs.remove();
      }
    } finally {
      releaseRoot();
      removeBundle(bundle);
    }
  }

  #writeBundle(bundle: string, spec: RunSpec, cwd: string, modes: ReadonlyMap<string, number>): void {
    const { runtime, userNamespace, nullDevice, env } = this.#options;
    const mountProgram = runtime.name === 'crun' && userNamespace === 'none' ? requireMount(env) : undefined;
    const config = ociSpec(spec, {
      userNamespace,
      seccomp: runtime.seccomp,
      ...(nullDevice !== undefined && { nullDevice }),
      arch: process.arch,
      ownCapabilities: spec.insecure ? ownCapabilities() : [],
      cwd,
      tmpfsModes: modes,
      resolvConf: path.join(bundle, 'resolv.conf'),
      hosts: path.join(bundle, 'hosts'),
      ...(mountProgram === undefined ? {} : { mountProgram }),
    });
    writeFileSync(path.join(bundle, 'config.json'), JSON.stringify(config));
    const resolvConf = typeof spec.network === 'string' ? machineResolvConf() : spec.network.resolvConf;
    writeFileSync(path.join(bundle, 'resolv.conf'), resolvConf, { mode: 0o644, encoding: 'latin1' });
    const hosts = hostsFile(spec.hostname ?? 'buildkitsandbox', spec.extraHosts ?? []);
    writeFileSync(path.join(bundle, 'hosts'), hosts, { mode: 0o644 });
  }

  async #runBundle(bundle: string, { signal, onOutput, onStart }: RunOptions): Promise<ExitStatus> {
    const { runtime, env } = this.#options;
    const log = path.join(bundle, 'runtime.log');
    const before = runtimeOptions(runtime, path.join(bundle, 'state'), log);
    const id = `slipway-${randomBytes(8).toString('hex')}`;
    const child = spawn(runtime.file, [...before, 'run', '--bundle', bundle, id], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A session of its own: what a terminal sends to the whole group would come twice, from it and from `onStart`.
      detached: true,
      env: { ...env, XDG_RUNTIME_DIR: bundle },
    });
    relayOutput('stdout', child.stdout, onOutput, signal);
    relayOutput('stderr', child.stderr, onOutput, signal);
    // Both runtimes, kept in the foreground, pass on to the process inside what they get themselves.
    onStart?.((name) => child.kill(name));
    const status = await untilClosed(child, signal);
    signal.throwIfAborted();
    if (status.kind === 'exited' && status.code !== 0) return judge(status, log, runtime);
    return status;
  }

  /** See `hasHybridCgroups`: an empty directory in its place is accepted. */
  #prepareCgroups(): void {
    if (this.#cgroupsReady || this.#options.runtime.name !== 'crun') return;
    if (hasHybridCgroups()) mount({ source: 'tmpfs', target: '/sys/fs/cgroup', type: 'tmpfs', data: 'size=64k' });
    this.#cgroupsReady = true;
  }
}

/** Waits for the runtime and its output to end. After an abort it kills whatever is below until nothing is left. */
function untilClosed(child: ChildProcess, signal: AbortSignal): Promise<ExitStatus> {
  return new Promise((resolve, reject) => {
    let killing: NodeJS.Timeout | undefined;
    const kill = (): void => {
      // The runtime comes last, so that it can put away its state; a start that is under way is met by the next round.
      let rounds = 0;
      const round = (): void => {
        const below = child.pid === undefined ? [] : descendants(child.pid);
        for (const pid of below) killOne(pid);
        if (++rounds > 20 && below.length === 0) child.kill('SIGKILL');
      };
      round();
      killing = setInterval(round, 25);
    };
    if (signal.aborted) kill();
    else signal.addEventListener('abort', kill, { once: true });
    const end = (): void => {
      clearInterval(killing);
      signal.removeEventListener('abort', kill);
    };
    child.once('error', (error) => {
      end();
      reject(new BuildError('RUNTIME_FAILED', `cannot start \`${child.spawnfile}\``, { cause: error }));
    });
    child.once('close', (code, killedBy) => {
      end();
      resolve(killedBy === null ? { kind: 'exited', code: code ?? 1 } : { kind: 'killed', signal: killedBy });
    });
  });
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

function requireMount(env: NodeJS.ProcessEnv): string {
  const program = findProgram('mount', env);
  if (program !== undefined) return program;
  throw new BuildError('ISOLATION_UNAVAILABLE', '`mount` is not installed, which keeps devices away from RUN', {
    hint: 'install it, for example `apt-get install mount`, or install `runc`',
  });
}

/** Removes a bundle; a runtime that was killed can leave mounts of its own in its state. */
function removeBundle(bundle: string): void {
  try {
    rmSync(bundle, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, 'EBUSY')) throw error;
    unmountBelow(fromText(bundle));
    rmSync(bundle, { recursive: true, force: true });
  }
}
