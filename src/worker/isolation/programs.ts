import { findProgram } from '../../executor/runtime.js';
import { findIdMaps, type IdMap } from './id-maps.js';
import type { NamespaceRung } from './launch.js';

/** What starts a worker. */
export interface WorkerPrograms {
  readonly setpriv: string;
  readonly unshare: string;
  readonly shell: string;
  /** For `userns`; elsewhere there are none. */
  readonly idMaps: readonly IdMap[];
}

/** Why a rung cannot even be tried. */
export interface Lack {
  readonly reason: string;
  readonly hint: string;
}

/** The programs for a rung, or what is missing. */
export function findPrograms(rung: NamespaceRung, env: NodeJS.ProcessEnv): WorkerPrograms | Lack {
  const setpriv = findProgram('setpriv', env);
  const unshare = findProgram('unshare', env);
  if (setpriv === undefined || unshare === undefined) {
    return {
      reason: `\`${unshare === undefined ? 'unshare' : 'setpriv'}\` is not installed`,
      hint: 'install it, for example `apt-get install util-linux`',
    };
  }
  const programs = { setpriv, unshare, shell: '/bin/sh', idMaps: [] };
  if (rung !== 'userns') return programs;
  const idMaps = findIdMaps(env);
  return 'reason' in idMaps ? idMaps : { ...programs, idMaps };
}
