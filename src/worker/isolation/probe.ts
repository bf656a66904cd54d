import { statSync } from 'node:fs';
import { release } from 'node:os';
import type { Cancel } from '../../base/abort.js';
import { isLinux } from '../../base/platform.js';
import { findProgram } from '../../executor/runtime.js';
import { readKernelFile, readUsernsSwitches } from './kernel-switches.js';
import { findIdMaps } from './id-maps.js';
import { RUNGS, type IsolationReport, type RungName, type RungReport } from './ladder.js';
import { probeChroot } from './probe-chroot.js';
import { probeNamespaces } from './probe-namespaces.js';

export interface ProbeOptions extends Cancel {
  readonly env: NodeJS.ProcessEnv;
  /** `first` stops at the best rung that works; `all` tries each, for `slipway doctor`. */
  readonly extent: 'first' | 'all';
}

/** Finds out which rungs this machine allows, on `dir`, where trees will lie. Leaves nothing behind. */
export async function probeIsolation(dir: string, options: ProbeOptions): Promise<IsolationReport> {
  const rungs: RungReport[] = [];
  let found = false;
  for (const { name } of RUNGS) {
    const skip = found && options.extent === 'first';
    if (skip) rungs.push({ name, available: false, reason: 'not tried: a better one works' });
    else if (name !== 'none' && !isLinux) rungs.push({ name, available: false, reason: 'needs Linux' });
    else rungs.push(await probeRung(name, dir, options));
    found ||= rungs.at(-1)?.trees !== undefined;
  }
  return { key: probeKey(dir, options.env), rungs };
}

async function probeRung(name: RungName, dir: string, options: ProbeOptions): Promise<RungReport> {
  switch (name) {
    case 'root':
    case 'userns':
    case 'userns-single':
      return await probeNamespaces(name, dir, options);
    case 'chroot':
      return await probeChroot(dir, options);
    case 'proot':
      return { name, available: false, obstacle: 'version', reason: 'not in this version' };
    case 'none':
      return { name, available: true, reason: 'needs nothing of the machine' };
  }
}

/** Programs that decide which rung is possible, and how. */
const PROGRAMS = ['crun', 'runc', 'unshare', 'setpriv', 'newuidmap', 'newgidmap', 'fuse-overlayfs'];

/**
 * Changes whenever a kept report may have become wrong: kernel, boot, user, rights, file system, switches, programs,
 * subordinate ids or what the environment asks for are others.
 */
export function probeKey(dir: string, env: NodeJS.ProcessEnv): string {
  const rights = readKernelFile('/proc/self/status')?.match(/^(?:CapEff|NoNewPrivs|Seccomp):\s*\S+/gm) ?? [];
  return [
    release(),
    readKernelFile('/proc/sys/kernel/random/boot_id') ?? '-',
    process.getuid?.() ?? '-',
    ...rights.map((line) => line.replace(/^.*:\s*/, '')),
    statSync(dir).dev,
    JSON.stringify(readUsernsSwitches()),
    JSON.stringify(findIdMaps(env)),
    env['SLIPWAY_SNAPSHOTTER'] || 'auto',
    ...PROGRAMS.map((name) => findProgram(name, env) ?? '-'),
  ].join(' ');
}
