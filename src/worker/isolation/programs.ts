import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { hasCode } from '../../base/errors.js';
import { findProgram } from '../../executor/runtime.js';
import type { WorkerRung } from '../worker-kind.js';

/** Programs that start a worker. */
export interface WorkerPrograms {
  readonly setpriv: string;
  readonly unshare: string;
}

/** Why a rung cannot even be tried. */
export interface Lack {
  readonly reason: string;
  readonly hint: string;
}

/** The programs for a rung, or what is missing. */
export function findPrograms(rung: WorkerRung, env: NodeJS.ProcessEnv): WorkerPrograms | Lack {
  const setpriv = findProgram('setpriv', env);
  const unshare = findProgram('unshare', env);
  if (setpriv === undefined || unshare === undefined) {
    return {
      reason: `\`${unshare === undefined ? 'unshare' : 'setpriv'}\` is not installed`,
      hint: 'install it, for example `apt-get install util-linux`',
    };
  }
  if (rung === 'root') return { setpriv, unshare };
  return lackOfIds(env, unshare) ?? { setpriv, unshare };
}

function lackOfIds(env: NodeJS.ProcessEnv, unshare: string): Lack | undefined {
  for (const name of ['newuidmap', 'newgidmap']) {
    if (findProgram(name, env) !== undefined) continue;
    return { reason: `\`${name}\` is not installed`, hint: 'install it, for example `apt-get install uidmap`' };
  }
  const help = execFileSync(unshare, ['--help'], { encoding: 'utf8', env: { ...env, LC_ALL: 'C' } });
  if (!help.includes('--map-auto')) {
    return {
      reason: '`unshare` is older than util-linux 2.38 and cannot map subordinate ids',
      hint: 'use a distribution with util-linux 2.38 or later (Debian 12, Ubuntu 24.04, Fedora 37)',
    };
  }
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    if (subordinateIds(file) > 0) continue;
    const name = userName();
    return {
      reason: `\`${file}\` gives no ids to \`${name}\``,
      hint: `as root: \`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name}\``,
    };
  }
  return undefined;
}

/** How many ids a file gives to the current user, by name or number. */
function subordinateIds(file: string): number {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return 0;
    throw error;
  }
  const owners = new Set([userName(), String(process.getuid?.())]);
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([owner = '']) => owners.has(owner))
    .reduce((sum, [, , count]) => sum + (Number(count) || 0), 0);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.()); // a uid that passwd does not have
  }
}
