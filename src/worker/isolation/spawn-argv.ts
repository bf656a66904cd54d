import type { WorkerRung } from '../worker-kind.js';
import type { WorkerPrograms } from './programs.js';

/**
 * What goes before the worker's own command. The worker becomes process 1 of its own pid namespace, with a mount
 * namespace in which nothing is shared with the outside, a /proc of its own, and on `userns` as root of a user
 * namespace that maps the user's subordinate ids. It keeps all open descriptors, so Node's IPC channel too.
 *
 * It dies with the thread that spawned it: `setpriv` has the kernel kill `unshare` then, `--kill-child` the worker after
 * it, and with process 1 goes every process and mount inside. A worker must also leave when its IPC channel closes, for
 * the case that its parent died before `setpriv` was up.
 *
 * The user namespace comes before `setpriv`: the kernel forgets the signal when a process gets the rights of a new one,
 * and an `unshare` that is killed while a child of its waits to write the maps would leave that child behind.
 */
export function spawnArgv(rung: WorkerRung, programs: WorkerPrograms): readonly string[] {
  const { setpriv, unshare } = programs;
  const user = rung === 'userns' ? [unshare, '--user', '--map-root-user', '--map-auto', '--'] : [];
  const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc'];
  return [...user, setpriv, '--pdeathsig', 'KILL', '--', unshare, ...namespaces, '--'];
}
