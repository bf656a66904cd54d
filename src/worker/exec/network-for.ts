import type { Cancel } from '../../base/abort.js';
import { loopbackProxy } from '../../executor/network/loopback-proxy.js';
import { fixedNetwork, type LentNetwork } from '../../executor/network/run-networks.js';
import type { ExecOp } from '../../llb/types.js';
import type { TreeParts } from '../local-machine.js';

/**
 * The network of a RUN. One whose proxy, which came with the build's arguments, listens on this machine's loopback has
 * the machine's network: it could not get at the proxy from its own, and without its proxy nothing works. The user gave
 * that argument; a Dockerfile has no part in it. Throws NETWORK_FAILED.
 */
export async function networkFor(op: ExecOp, { networks }: TreeParts, opts: Cancel): Promise<LentNetwork> {
  if (op.network !== 'sandbox') return fixedNetwork(op.network);
  const proxy = loopbackProxy(op.meta.proxyEnv ?? {});
  if (proxy !== undefined && networks.useMachine(`its proxy ${proxy} is on the loopback`)) return fixedNetwork('host');
  return await networks.lend({ signal: opts.signal, isInsecure: op.security === 'insecure' });
}
