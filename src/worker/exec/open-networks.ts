import { RunNetworks } from '../../executor/network/run-networks.js';
import type { Store } from '../../store/store.js';
import type { WorkerOptions } from '../local-machine.js';
import type { WorkerKind } from '../worker-kind.js';
import { runDirOf } from './executor-for.js';

/** The networks of a worker's runs. */
export function openNetworks({ rung }: WorkerKind, store: Store, options: WorkerOptions | undefined): RunNetworks {
  return new RunNetworks({
    mode: options?.networkMode ?? 'host',
    hasNamespaces: rung !== 'chroot',
    env: process.env,
    stateDir: () => runDirOf(store),
    isMachineRoot: rung === 'root',
    onNotice: (level, text) => options?.onNotice({ level, text }),
  });
}
