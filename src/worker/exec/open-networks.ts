import { BuildError } from '../../base/errors.js';
import type { NetworkMode } from '../../executor/network/network-mode.js';
import { RunNetworks } from '../../executor/network/run-networks.js';
import type { Store } from '../../store/store.js';
import type { WorkerOptions } from '../local-machine.js';
import type { WorkerKind } from '../worker-kind.js';
import { runDirOf } from './executor-for.js';

/** The networks of a worker's runs. Throws NETWORK_FAILED when the mode is not possible on the rung. */
export function openNetworks(kind: WorkerKind, store: Store, options: WorkerOptions | undefined): RunNetworks {
  return new RunNetworks({
    whyHost: kind.rung === 'chroot' ? 'the rung `chroot` has no namespaces' : 'SLIPWAY_NETWORK_MODE=host',
    mode: modeOn(kind, options?.networkMode ?? 'host'),
    env: process.env,
    stateDir: () => runDirOf(store),
    isMachineRoot: kind.rung === 'root',
    onNotice: (level, text) => options?.onNotice({ level, text }),
  });
}

function modeOn({ rung }: WorkerKind, mode: NetworkMode): NetworkMode {
  if (rung !== 'chroot' || mode === 'host') return mode;
  if (mode === 'auto') return 'host';
  throw new BuildError(
    'NETWORK_FAILED',
    `\`${mode}\` cannot give RUN a network on the rung \`chroot\`, which has no namespaces`,
    {
      hint: 'leave out SLIPWAY_NETWORK_MODE; RUN then has the network of this machine',
    },
  );
}
