import type { Cancel } from '../../base/abort.js';
import { loopbackProxy } from '../../executor/network/loopback-proxy.js';
import { fixedNetwork, type LentNetwork } from '../../executor/network/run-networks.js';
import type { ExecOp } from '../../llb/types.js';
import type { TreeParts } from '../local-machine.js';

/** A network that is on its way, while other things are made ready. It is given back when this is disposed of. */
export interface ComingNetwork extends AsyncDisposable {
  /** Throws NETWORK_FAILED. */
  readonly lent: Promise<LentNetwork>;
}

/** Begins to get the network of a RUN: mostly it is waited for other programs. */
export function beginNetwork(op: ExecOp, parts: TreeParts, opts: Cancel): ComingNetwork {
  const lent = networkFor(op, parts, opts);
  lent.catch(() => undefined); // whoever comes to need it gets the error
  return {
    lent,
    [Symbol.asyncDispose]: async () => (await lent.catch(() => undefined))?.[Symbol.dispose](),
  };
}

/**
 * The network of a RUN. One whose proxy, which came with the build's arguments, listens on this machine's loopback has
 * the machine's network: it could not get at the proxy from its own, and without its proxy nothing works. The user gave
 * that argument; a Dockerfile has no part in it. Throws NETWORK_FAILED.
 */
async function networkFor(op: ExecOp, { networks }: TreeParts, opts: Cancel): Promise<LentNetwork> {
  if (op.network !== 'sandbox') return fixedNetwork(op.network);
  const proxy = loopbackProxy(op.meta.proxyEnv ?? {});
  if (proxy !== undefined && networks.useMachine(`its proxy ${proxy} is on the loopback`)) return fixedNetwork('host');
  return await networks.lend({ signal: opts.signal, isInsecure: op.security === 'insecure' });
}
