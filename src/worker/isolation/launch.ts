import type { WorkerRung } from '../worker-kind.js';
import type { IdMap } from './id-maps.js';
import type { WorkerPrograms } from './programs.js';

/** How a process gets the namespaces of a worker; `startLaunch` does it. */
export interface WorkerLaunch {
  /** What goes before the process's own command. */
  readonly argv: readonly string[];
  /** The maps of its user namespace that its parent writes; none where `argv` does all that is needed. */
  readonly idMaps: readonly IdMap[];
}

/** The first descriptor after those that every process has and Node's IPC channel; see `startLaunch`. */
export const GO_DESCRIPTOR = 4;

/** The rungs whose worker has namespaces of its own. */
export type NamespaceRung = Exclude<WorkerRung, 'chroot'>;

/** For `chroot`: the worker has no namespaces, and ends what it started when its IPC channel closes. */
export const plainLaunch: WorkerLaunch = { argv: [], idMaps: [] };

/** Says that it has its user namespace, and goes on when it is told that the maps are written. */
const AWAIT_MAPS = `echo made >&${GO_DESCRIPTOR} && read -r go <&${GO_DESCRIPTOR} && exec "$@" ${GO_DESCRIPTOR}<&-`;

/**
 * The launch for a rung. The worker becomes process 1 of its own pid namespace, with a mount namespace in which nothing
 * is shared with the outside, a /proc of its own, and on the `userns` rungs as root of a user namespace. It keeps all
 * open descriptors, so Node's IPC channel too.
 *
 * It dies with the thread that spawned it: `setpriv` has the kernel kill `unshare` then, `--kill-child` the worker after
 * it, and with process 1 goes every process and mount inside. A worker must also leave when its IPC channel closes, for
 * the case that its parent died before `setpriv` was up. Before the maps are written the shell that waits for them ends
 * when its parent does, since that closes the descriptor it waits on.
 *
 * The user namespace comes before `setpriv`: the kernel forgets the signal when a process gets the rights of a new one.
 * With subordinate ids its maps are written by this side and not by `unshare --map-auto`: versions before util-linux
 * 2.38 have no such option, and one that is killed while a child of its waits to write them leaves that child behind.
 */
export function workerLaunch(rung: NamespaceRung, { setpriv, unshare, shell, idMaps }: WorkerPrograms): WorkerLaunch {
  const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc'];
  const isolated = [setpriv, '--pdeathsig', 'KILL', '--', unshare, ...namespaces, '--'];
  switch (rung) {
    case 'root':
      return { argv: isolated, idMaps: [] };
    case 'userns':
      return { argv: [unshare, '--user', '--', shell, '-c', AWAIT_MAPS, 'sh', ...isolated], idMaps };
    case 'userns-single':
      return { argv: [unshare, '--user', '--map-root-user', '--', ...isolated], idMaps: [] };
  }
}
