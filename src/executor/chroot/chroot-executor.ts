import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type ByteString, fromText } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { refuseDebugger } from '../../base/refuse-debugger.js';
import { becomeSubreaper } from '../../base/linux/process.js';
import { makeMountStubs } from '../../snapshot/mount-stubs.js';
import { withLock } from '../../store/lock.js';
import { DEFAULT_CAPABILITIES, capabilityNumber, ownCapabilities } from '../capabilities.js';
import { hostsFile } from '../network/hosts-file.js';
import { machineResolvConf } from '../network/resolv-conf.js';
import { relayOutput } from '../relay-output.js';
import { makeCwd, makeSystemDirs, mountPoints, tmpfsModes } from '../root-fs.js';
import type { Executor, ExitStatus, RunMount, RunOptions, RunSpec } from '../types.js';
import { devicesAreOpen } from './devices.js';
import { startLauncher } from './launch.js';
import type { LaunchOutcome, LaunchSpec } from './launch-spec.js';
import { Placements, type Placement } from './placements.js';
import { endRunProcesses, endRunProcessesNow, reapRunProcesses } from './run-processes.js';
import { resourceNumber } from './limits.js';
import { requirePossible } from './possible.js';

export interface ChrootOptions {
  /** A folder of this job on the file system of the roots. */
  readonly workDir: string;
  /** The bundle of `launcher.ts`. */
  readonly launcher: string;
  /** For the notes that tell of directories that were moved into a root; see `bringHome`. */
  readonly notes: string;
  /**
   * Locked while a process runs. Two processes in different roots could help each other out of them, so that there must
   * be one for all that use the store.
   */
  readonly lock: string;
}

/**
 * Runs processes with chroot(2) in a plain directory, without mounts and namespaces: for root in an ordinary container.
 * What others mount is placed in the root for the time of the run (`placements.ts`). One process runs at a time.
 * This process must have nothing else below it that cannot have CAP_SYS_CHROOT.
 *
 * A RUN has no CAP_SYS_CHROOT, so it cannot leave its root, and less than this process, so it cannot trace it; it
 * inherits no descriptor and gets no new privileges. Not kept from it: signals to other processes of its user id, the container's network and resources.
 */
export class ChrootExecutor implements Executor {
  readonly #options: ChrootOptions;

  constructor(options: ChrootOptions) {
    this.#options = options;
  }

  /** Throws ISOLATION_UNAVAILABLE for what needs namespaces. */
  async run(spec: RunSpec, opts: RunOptions): Promise<ExitStatus> {
    opts.signal.throwIfAborted();
    requirePossible(spec);
    return await withLock(this.#options.lock, opts.signal, () => this.#runAlone(spec, opts));
  }

  async #runAlone(spec: RunSpec, opts: RunOptions): Promise<ExitStatus> {
    const root = fromText(spec.rootfs);
    const aside = mkdtempSync(path.join(this.#options.workDir, 'a'));
    const placements = new Placements(root, { aside, notes: this.#options.notes });
    try {
      makeCwd(root, fromText(spec.cwd));
      makeSystemDirs(root);
      const modes = tmpfsModes(root, spec);
      const stubs = makeMountStubs(root, mountPoints(spec));
      try {
        active.add(placements);
        for (const [target, what] of placed(spec, modes)) await placements.place(fromText(target), what, opts);
        if (!placements.hasDevices) await opts.onOutput('stderr', Buffer.from(`slipway: warning: ${NO_DEVICES}\n`));
        return await this.#launch(this.#launchSpec(spec, makeCwd(root, fromText(spec.cwd)), aside), opts);
      } finally {
        placements.remove();
        active.delete(placements);
        stubs.remove();
      }
    } finally {
      rmSync(aside, { recursive: true });
    }
  }

  #launchSpec(spec: RunSpec, cwd: ByteString, scratch: string): LaunchSpec {
    const withheld = ['CAP_SYS_CHROOT', ...(devicesAreOpen(fromText(scratch)) ? ['CAP_MKNOD'] : [])];
    const own = ownCapabilities();
    return {
      parent: process.pid,
      root: fromText(spec.rootfs),
      cwd: `/${cwd}`,
      args: spec.args,
      env: spec.env,
      user: spec.user,
      capabilities: DEFAULT_CAPABILITIES.filter((name) => own.includes(name) && !withheld.includes(name)).map(
        capabilityNumber,
      ),
      limits: (spec.ulimits ?? []).map(({ name, soft, hard }) => ({ resource: resourceNumber(name), soft, hard })),
    };
  }

  async #launch(launchSpec: LaunchSpec, { signal, onOutput, onStart }: RunOptions): Promise<ExitStatus> {
    becomeSubreaper();
    refuseDebugger();
    const { child, outcome, answers } = startLauncher(this.#options.launcher, launchSpec);
    relayOutput('stdout', child.stdout!, onOutput, signal);
    relayOutput('stderr', child.stderr!, onOutput, signal);
    onStart?.((name) => child.kill(name));
    let status: ExitStatus;
    try {
      status = await untilGone(child, signal);
    } finally {
      await answers.end();
    }
    signal.throwIfAborted();
    return await judge(await outcome, status, onOutput);
  }
}

const NO_DEVICES =
  'this container does not allow device nodes: /dev/null is an ordinary file for RUN, and /dev/zero, full, random, urandom and tty are missing';

/** In the order in which another rung mounts them. */
function placed(spec: RunSpec, modes: ReadonlyMap<string, number>): readonly (readonly [string, Placement])[] {
  const hosts = hostsFile(os.hostname(), spec.extraHosts ?? []);
  return [
    ['/proc', { kind: 'dir', mode: 0o555 }],
    ['/dev', { kind: 'dev' }],
    ['/sys', { kind: 'dir', mode: 0o555 }],
    ['/etc/resolv.conf', { kind: 'file', content: Buffer.from(machineResolvConf(), 'latin1'), mode: 0o644 }],
    ['/etc/hosts', { kind: 'file', content: hosts, mode: 0o644 }],
    ...spec.mounts.map((one) => [one.target, placementOf(one, modes)] as const),
  ];
}

function placementOf(wanted: RunMount, modes: ReadonlyMap<string, number>): Placement {
  if (wanted.type === 'tmpfs') return { kind: 'dir', mode: modes.get(wanted.target) ?? 0o1777 };
  const { source } = wanted;
  return { kind: wanted.isKept && !wanted.readonly ? 'moved' : 'copy', source };
}

/** Waits for the process and its output to end, and for everything that it has left. An abort kills it all. */
async function untilGone(child: ChildProcess, signal: AbortSignal): Promise<ExitStatus> {
  let running = true;
  const main = (): number | undefined => (running ? child.pid : undefined);
  const kill = (): void => void child.kill('SIGKILL');
  let reaping: NodeJS.Timeout | undefined;
  const reap = (): void => void (reaping ??= setTimeout(() => ((reaping = undefined), reapRunProcesses(main())), 100));
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const exited = new Promise<ExitStatus>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new BuildError('RUNTIME_FAILED', `cannot start \`${child.spawnfile}\``, { cause }));
    });
    child.once('exit', (code, killedBy) => {
      running = false;
      const number = killedBy === null ? 0 : os.constants.signals[killedBy];
      resolve({ kind: 'exited', code: code ?? 128 + number });
    });
  });
  process.on('SIGCHLD', reap);
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  try {
    const status = await exited;
    await endRunProcesses(main);
    await closed;
    return status;
  } finally {
    process.off('SIGCHLD', reap);
    clearTimeout(reaping);
    signal.removeEventListener('abort', kill);
  }
}

async function judge(
  outcome: LaunchOutcome,
  status: ExitStatus,
  onOutput: RunOptions['onOutput'],
): Promise<ExitStatus> {
  if (outcome.kind === 'executed') return status;
  if (outcome.kind === 'not-executable') {
    await onOutput('stderr', Buffer.from(`${outcome.message}\n`));
    return { kind: 'exited', code: 1 };
  }
  throw new BuildError('RUNTIME_FAILED', `the process could not be set up: ${outcome.message}`, {
    hint: 'run `slipway doctor` to see what this machine allows',
  });
}

const active = new Set<Placements>();

/**
 * Ends every run of this process at once, where nothing can be waited for because it is about to end itself: kills what
 * runs, and takes home what was moved into roots.
 */
export function abandonRuns(): void {
  endRunProcessesNow();
  for (const one of active) one.remove();
}
