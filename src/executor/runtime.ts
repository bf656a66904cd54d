import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { BuildError } from '../base/errors.js';

export interface Runtime {
  readonly name: 'crun' | 'runc';
  readonly file: string;
  readonly seccomp: boolean;
}

/** crun where it is there, since it starts in half the time, else runc. Throws ISOLATION_UNAVAILABLE without either. */
export function findRuntime(env: NodeJS.ProcessEnv): Runtime {
  for (const name of ['crun', 'runc'] as const) {
    const file = findProgram(name, env);
    if (file !== undefined) return { name, file, seccomp: hasSeccomp(file) };
  }
  throw new BuildError('ISOLATION_UNAVAILABLE', 'no OCI runtime: neither `crun` nor `runc` is installed', {
    hint: 'install one of them, for example `apt-get install crun`',
  });
}

/** Looks through PATH and then where administrators' programs lie, which a user's PATH often leaves out. */
export function findProgram(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = [...(env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin'];
  for (const folder of [...folders, '/sbin', '/bin']) {
    if (!folder.startsWith('/')) continue;
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue; // not there, or not for us
    }
  }
  return undefined;
}

/** Options that go before `run`. */
export function runtimeOptions(runtime: Runtime, stateDir: string, log: string): readonly string[] {
  const common = ['--root', stateDir, '--log', log, '--log-format', 'json'];
  return runtime.name === 'crun' ? [...common, '--cgroup-manager', 'disabled'] : [...common, '--rootless', 'true'];
}

const TMPFS_MAGIC = 0x01021994;

/**
 * Whether /sys/fs/cgroup is laid out in a way that crun before 1.9 refuses even when told to leave cgroups alone:
 * version 1 with version 2 beside it.
 */
export function hasHybridCgroups(): boolean {
  return existsSync('/sys/fs/cgroup/unified') && statfsSync('/sys/fs/cgroup').type === TMPFS_MAGIC;
}

function hasSeccomp(file: string): boolean {
  const text = execFileSync(file, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return /\+SECCOMP|libseccomp/i.test(text) && existsSync('/proc/sys/kernel/seccomp');
}
