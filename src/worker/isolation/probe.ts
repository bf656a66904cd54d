import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { fromText } from '../../base/bytes.js';
import { BuildError, hasCode } from '../../base/errors.js';
import { fileSystemType } from '../../base/linux/statfs.js';
import { isLinux } from '../../base/platform.js';
import { findRuntime } from '../../executor/runtime.js';
import type { WorkerRung } from '../worker-kind.js';
import { RUNGS, type IsolationReport, type RungReport } from './ladder.js';
import { findPrograms, type WorkerPrograms } from './programs.js';
import { workerLaunch, type WorkerLaunch } from './launch.js';
import { startLaunch } from './start-launch.js';

export interface ProbeOptions extends Cancel {
  readonly env: NodeJS.ProcessEnv;
  /** `first` stops at the best rung that works; `all` tries each, for `slipway doctor`. */
  readonly extent: 'first' | 'all';
}

/**
 * Finds out which rungs this machine allows, by doing on `dir` (where trees will lie) what a worker does: a short-lived
 * child in new namespaces mounts an overlay there and changes it. Leaves nothing behind.
 */
export async function probeIsolation(dir: string, options: ProbeOptions): Promise<IsolationReport> {
  const rungs: RungReport[] = [];
  let found = false;
  for (const { name } of RUNGS) {
    const skip = found && options.extent === 'first';
    if (skip) rungs.push({ name, available: false, reason: 'not tried: a better one works' });
    else if (name !== 'none' && !isLinux) rungs.push({ name, available: false, reason: 'needs Linux' });
    else if (name === 'root' || name === 'userns') rungs.push(await probeRung(name, dir, options));
    else if (name === 'none') rungs.push({ name, available: true, reason: 'needs nothing of the machine' });
    else rungs.push({ name, available: false, reason: 'not in this version' });
    found ||= rungs.at(-1)?.trees !== undefined;
  }
  return { key: probeKey(dir), rungs };
}

/** Changes whenever a kept report may have become wrong: kernel, boot, user, file system or switches are others. */
export function probeKey(dir: string): string {
  const switches = Object.keys(SWITCHES).map((file) => readSwitch(file) ?? '-');
  const boot = readSwitch('/proc/sys/kernel/random/boot_id') ?? '-';
  return [release(), boot, process.getuid?.() ?? '-', statSync(dir).dev, ...switches].join(' ');
}

async function probeRung(rung: WorkerRung, dir: string, { signal, env }: ProbeOptions): Promise<RungReport> {
  const no = (reason: string, hint?: string): RungReport => ({
    name: rung,
    available: false,
    reason,
    ...(hint === undefined ? {} : { hint }),
  });
  if (rung === 'root' && process.getuid?.() !== 0) return no('not running as root');
  const programs = findPrograms(rung, env);
  if ('reason' in programs) return no(programs.reason, programs.hint);
  try {
    const runtime = findRuntime(env);
    const failure = await tryOverlay(rung, programs, dir, signal, env);
    if (failure) return no(failure.reason, failure.hint);
    const what = rung === 'root' ? 'as root' : 'in a user namespace with subordinate ids';
    return {
      name: rung,
      available: true,
      trees: 'overlay',
      reason: `overlayfs on ${fileSystemType(fromText(dir))} ${what}, ${runtime.name}`,
    };
  } catch (error) {
    if (error instanceof BuildError) return no(error.message, error.hint);
    throw error;
  }
}

/** Says each step before it is done, so that the last one said is the one that failed. */
const SCRIPT = `set -e
say() { echo "step:$1"; }
cd "$1"
trap 'cd "$1"; umount m 2>/dev/null || :; rm -rf "$1"/*' EXIT
say ids; mkdir l l/d l/e u w m; [ -z "$2" ] || chown 1:1 l/e
say overlay; mount -t overlay overlay -o "lowerdir=l,upperdir=u,workdir=w$2" m
say change; rm -r m/d; mkdir m/d; : > m/d/f
say tmpfs; mount -t tmpfs tmpfs m/e; umount m/e
say unmount; umount m
say done
`;

interface Failure {
  readonly reason: string;
  readonly hint?: string;
}

async function tryOverlay(
  rung: WorkerRung,
  programs: WorkerPrograms,
  dir: string,
  signal: AbortSignal,
  env: NodeJS.ProcessEnv,
): Promise<Failure | undefined> {
  const place = mkdtempSync(path.join(dir, '.probe-'));
  try {
    const script = ['sh', '-c', SCRIPT, 'sh', place, rung === 'userns' ? ',userxattr' : ''];
    const { how, stdout, stderr } = await run(workerLaunch(rung, programs), script, signal, env);
    signal.throwIfAborted();
    if (how === 'code 0') return undefined;
    const step = stdout.trim().split('\n').at(-1)?.replace('step:', '') ?? '';
    const said = stderr.trim().split('\n').at(-1) ?? '';
    return explain(step, said === '' ? `it ended with ${how}` : said);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function explain(step: string, said: string): Failure {
  switch (step) {
    case '':
      return { reason: `no new namespaces: ${said}`, ...hintForNamespaces() };
    case 'ids':
      return { reason: `subordinate ids cannot be used: ${said}` };
    case 'overlay':
      return {
        reason: `overlayfs cannot be mounted here: ${said}`,
        hint: 'put the store on a local file system such as ext4, xfs, btrfs or tmpfs (`--root`), Linux 5.11 or later',
      };
    default:
      return { reason: `overlayfs does not work here (${step}): ${said}` };
  }
}

/** Kernel switches that forbid user namespaces, with the value that does. */
const SWITCHES: Readonly<Record<string, string>> = {
  '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1',
  '/proc/sys/user/max_user_namespaces': '0',
  '/proc/sys/kernel/unprivileged_userns_clone': '0',
};

function hintForNamespaces(): { readonly hint: string } {
  for (const [file, forbids] of Object.entries(SWITCHES)) {
    if (readSwitch(file) !== forbids) continue;
    const name = file.slice('/proc/sys/'.length).replaceAll('/', '.');
    const wanted = forbids === '1' ? '0' : name.startsWith('user.') ? '28633' : '1';
    return { hint: `\`${name}\` is ${forbids}; as root: \`sysctl -w ${name}=${wanted}\`` };
  }
  return { hint: 'in a container, this needs seccomp and AppArmor profiles that allow unshare and mount' };
}

function readSwitch(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
}

interface Ended {
  /** `code N`, the name of a signal, or why it could not start. */
  readonly how: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Throws ISOLATION_UNAVAILABLE where the process cannot get its ids. */
async function run(
  launch: WorkerLaunch,
  command: readonly string[],
  signal: AbortSignal,
  env: NodeJS.ProcessEnv,
): Promise<Ended> {
  const { child, mapped } = startLaunch(launch, command, {
    signal,
    stdio: ['ignore', 'pipe', 'pipe', 'ignore'],
    env: { ...env, LC_ALL: 'C' },
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(message));
    child.once('close', (code, killedBy) => resolve(killedBy ?? `code ${code}`));
  });
  let how: string;
  try {
    await mapped;
  } finally {
    how = await ended;
    signal.removeEventListener('abort', stop);
  }
  return { how, stdout, stderr };
}
