import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '../../src/base/errors.js';
import { findProgram } from '../../src/executor/runtime.js';
import { Daemon, PROGRAMS } from './daemon.js';
import { newerDockerdRoot } from './newer-dockerd.js';

/** Which Docker engine: Debian's, or a newer one with either of its two ways to keep images. */
export type DockerdKind = 'installed' | 'newer' | 'newer with containerd’s store';

/**
 * A Docker engine of a test's own: its data, socket and log lie in `dir`, which the caller removes. It speaks to no network but the machine's own addresses.
 */
export class Dockerd implements AsyncDisposable {
  readonly dir: string;
  readonly #daemon: Daemon;
  readonly #cgroup: string;
  readonly #clients: readonly string[];
  #client: string | undefined;

  private constructor(dir: string, daemon: Daemon, cgroup: string, clients: readonly string[]) {
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
    const script = root === undefined ? START : START_IN_ROOT;
    const daemon = new Daemon(script, [dir, root ?? ''], path.join(dir, 'log'));
    const clients = PROGRAMS.split(':').map((folder) => path.join(folder, 'docker'));
    const own = root === undefined ? [] : [path.join(root, 'usr/bin/docker')];
    const dockerd = new Dockerd(dir, daemon, cgroup, [...own, ...clients].filter(existsSync));
    try {
      await daemon.ready(async () => await answers(path.join(dir, 'sock')));
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
    await this.#daemon.stop();
    for (const folder of cgroupFolders(this.#cgroup)) removeCgroup(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
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
