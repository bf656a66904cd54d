import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { hasCode } from '../../src/base/errors.js';
import { packageRoot } from '../../src/base/package-root.js';
import { findProgram } from '../../src/executor/runtime.js';
import { newerDockerdRoot } from './newer-dockerd.js';

/** Which Docker engine: Debian's, or a newer one with either of its two ways to keep images. */
export type DockerdKind = 'installed' | 'newer' | 'newer with containerd’s store';

/** Where scripts/setup.mjs unpacks packages that it does not install. */
const UNPACKED = path.join(packageRoot(), 'node_modules/.programs');
const PROGRAMS = [path.join(UNPACKED, 'usr/sbin'), path.join(UNPACKED, 'usr/bin'), process.env['PATH'] ?? ''].join(':');
const PATIENCE_MS = 60_000;

/**
 * A Docker engine of a test's own. Its processes are in a namespace with their mounts and die with it and with us; its data,
 * socket and log lie in `dir`, which the caller removes. It speaks to no network but the machine's own addresses.
 */
export class Dockerd implements AsyncDisposable {
  readonly dir: string;
  readonly #daemon: ChildProcess;
  readonly #cgroup: string;
  readonly #clients: readonly string[];
  #client: string | undefined;

  private constructor(dir: string, daemon: ChildProcess, cgroup: string, clients: readonly string[]) {
    this.dir = dir;
    this.#daemon = daemon;
    this.#cgroup = cgroup;
    this.#clients = clients;
  }

  /** Why there can be none here; undefined when there can. */
  static missing(kind: DockerdKind): string | undefined {
    if (process.getuid?.() !== 0) return 'dockerd needs root';
    if (kind === 'installed')
      return findProgram('dockerd', { PATH: PROGRAMS }) ? undefined : 'dockerd is not installed';
    return newerDockerdRoot() ? undefined : 'no newer dockerd: scripts/newer-dockerd.mjs makes one';
  }

  /** `dir` is made; its path must be short, since sockets are in it. Gives an engine that answers. */
  static async start(dir: string, kind: DockerdKind = 'installed'): Promise<Dockerd> {
    const root = kind === 'installed' ? undefined : newerDockerdRoot();
    const cgroup = `slipway-test-${process.pid}-${path.basename(dir)}`;
    for (const name of ['data', 'exec', 'upper', 'root']) mkdirSync(path.join(dir, name), { recursive: true });
    const config = {
      hosts: [`unix://${dir}/sock`],
      'data-root': `${dir}/data`,
      'exec-root': `${dir}/exec`,
      pidfile: `${dir}/pid`,
      bridge: 'none',
      iptables: false,
      ip6tables: false,
      'cgroup-parent': `/${cgroup}`,
      // systemd would be told of process ids that are another namespace's.
      'exec-opts': ['native.cgroupdriver=cgroupfs'],
      ...(kind !== 'installed' && { features: { 'containerd-snapshotter': kind !== 'newer' } }),
    };
    writeFileSync(path.join(dir, 'daemon.json'), JSON.stringify(config));
    const log = openSync(path.join(dir, 'log'), 'w');
    const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const script = ['sh', '-c', root === undefined ? START : START_IN_ROOT, 'sh', dir, root ?? ''];
    const argv = ['--pdeathsig', 'KILL', '--', 'unshare', ...namespaces, '--', ...script];
    const daemon = spawn('setpriv', argv, { env: { PATH: PROGRAMS }, stdio: ['ignore', log, log] });
    closeSync(log);
    const clients = PROGRAMS.split(':').map((folder) => path.join(folder, 'docker'));
    const own = root === undefined ? [] : [path.join(root, 'usr/bin/docker')];
    const dockerd = new Dockerd(dir, daemon, cgroup, [...own, ...clients].filter(existsSync));
    try {
      await dockerd.#ready();
      return dockerd;
    } catch (error) {
      await dockerd.stop();
      throw error;
    }
  }

  get host(): string {
    return `unix://${this.dir}/sock`;
  }

  /** For a command that is to speak to it, and to no other engine. */
  get env(): Readonly<Record<string, string>> {
    return { DOCKER_HOST: this.host, DOCKER_CONFIG: path.join(this.dir, 'config') };
  }

  /** What it says for itself, for messages. */
  get log(): string {
    return readFileSync(path.join(this.dir, 'log'), 'utf8');
  }

  /** What `docker ARGS` prints. Throws with what it says when it fails. */
  async docker(...args: readonly string[]): Promise<string> {
    this.#client ??= await this.#findClient();
    return await this.#run(this.#client, args);
  }

  /** Id of an image by any name; throws when it is not there. */
  async imageId(name: string): Promise<string> {
    return (await this.docker('image', 'inspect', '--format', '{{.Id}}', name)).trim();
  }

  /** Ends it, with every container. The directory stays, with no mount and no process in it. */
  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon.pid !== undefined && daemon.exitCode === null && daemon.signalCode === null) {
      const ended = once(daemon, 'exit');
      // The first process of the namespace: when it is gone, so are all others.
      const first = readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/children`, 'utf8').trim();
      const target = first === '' ? daemon.pid : Number(first);
      process.kill(target, 'SIGTERM');
      const late = setTimeout(() => process.kill(target, 'SIGKILL'), PATIENCE_MS);
      await ended;
      clearTimeout(late);
    }
    for (const folder of cgroupFolders(this.#cgroup)) removeCgroup(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await answers(path.join(this.dir, 'sock')))) {
      const { exitCode, signalCode } = this.#daemon;
      if (exitCode !== null || signalCode !== null || Date.now() > deadline) {
        throw new Error(
          `dockerd does not answer (it ended with ${exitCode ?? signalCode ?? 'nothing yet'}):\n${this.log}`,
        );
      }
      await sleep(50);
    }
  }

  /** Clients and engines that are far apart in age do not speak to each other. */
  async #findClient(): Promise<string> {
    const faults: unknown[] = [];
    for (const client of this.#clients) {
      try {
        await this.#run(client, ['version']);
        return client;
      } catch (error) {
        faults.push(error);
      }
    }
    throw new AggregateError(faults, 'no docker client speaks to this engine');
  }

  async #run(client: string, args: readonly string[]): Promise<string> {
    const env = { PATH: PROGRAMS, HOME: this.dir, ...this.env };
    return (await promisify(execFile)(client, args, { env, maxBuffer: 64 * 1024 * 1024 })).stdout;
  }
}

const START = `set -e
mount --bind "$1/data" "$1/data"
exec dockerd --config-file "$1/daemon.json"`;

/** The folder itself stays as it is: what is written lies in memory. */
const START_IN_ROOT = `set -e
mount -t tmpfs tmpfs "$1/upper"
mkdir "$1/upper/upper" "$1/upper/work"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper/upper,workdir=$1/upper/work" "$1/root"
cd "$1/root"
for dir in /proc /sys /dev /mnt /tmp "$1"; do mkdir -p ".$dir"; done
for dir in /proc /sys /dev; do mount --rbind "$dir" ".$dir"; done
mount --bind "$1" ".$1"
mount --bind "$1/data" ".$1/data"
pivot_root . mnt
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /
umount -l /mnt
exec dockerd --config-file "$1/daemon.json"`;

async function answers(socketPath: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const request = http.get({ socketPath, path: '/_ping', agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    request.once('error', () => resolve(false));
  });
}

/** In version 2 there is one hierarchy, in version 1 one for each controller. */
function cgroupFolders(name: string): readonly string[] {
  const top = '/sys/fs/cgroup';
  if (!existsSync(top)) return [];
  const folders = readdirSync(top, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [top, ...folders.map((entry) => path.join(top, entry.name))]
    .map((folder) => path.join(folder, name))
    .filter(existsSync);
}

function removeCgroup(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(path.join(folder, entry.name));
  }
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
