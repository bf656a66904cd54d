import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { Store } from '../store/store.js';
import type { NetworkReport } from '../executor/network/run-networks.js';
import { findingsOf, type Finding } from '../worker/isolation/findings.js';
import { chooseRung, RUNGS, type RungReport } from '../worker/isolation/ladder.js';
import { readMachineFacts, type MachineFacts } from '../worker/isolation/machine-facts.js';
import type { TreeKind } from '../worker/worker-kind.js';
import { parseIsolation, probeAll } from './isolation.js';
import { openMachines } from './open-machines.js';

/** What this machine can do. Plain data; what `slipway doctor --format json` writes. */
export interface MachineReport {
  readonly store: { readonly root: string; readonly fileSystem: string };
  readonly user: { readonly uid: number | undefined };
  /** What was looked at. */
  readonly machine: MachineFacts;
  /** What was tried, best rung first. */
  readonly rungs: readonly (RungReport & { readonly title: string })[];
  /** Absent when RUN is not possible. */
  readonly chosen?: { readonly rung: string; readonly trees: TreeKind; readonly reason: string };
  /** What a RUN without `--network` gets on the chosen rung; absent when RUN is not possible. */
  readonly network?: NetworkReport | { readonly network: 'failed'; readonly reason: string; readonly hint?: string };
  /** What keeps it from better rungs than the chosen one, or from the one that was asked for. */
  readonly findings: readonly Finding[];
}

/** Probes every rung, and says which one a build would use, and what would have to change for a better one. */
export async function examineMachine(
  store: Store,
  isolation: string | undefined,
  opts: Cancel,
): Promise<MachineReport> {
  const wanted = parseIsolation(isolation);
  const report = await probeAll(store, opts);
  const titles = new Map(RUNGS.map(({ name, title }) => [name, title]));
  let chosen: MachineReport['chosen'];
  try {
    chosen = chooseRung(report, wanted);
  } catch (error) {
    if (!(error instanceof BuildError) || error.code !== 'ISOLATION_UNAVAILABLE') throw error;
  }
  const machine = readMachineFacts(store.paths.root, process.env);
  return {
    store: machine.store,
    user: { uid: machine.user.uid },
    machine,
    rungs: report.rungs.map((rung) => ({ ...rung, title: titles.get(rung.name)! })),
    ...(chosen && { chosen, network: await examineNetwork(store, isolation, opts) }),
    findings: findingsOf(report, machine, wanted),
  };
}

/** Has a worker try it, as a build would. */
async function examineNetwork(
  store: Store,
  isolation: string | undefined,
  { signal }: Cancel,
): Promise<NonNullable<MachineReport['network']>> {
  const job = { signal, emit: () => undefined, now: Date.now, session: { contexts: new Map() } };
  const machines = openMachines({ store, job, isolation, trustHostCa: false });
  try {
    return await machines.network({ signal });
  } catch (error) {
    if (!(error instanceof BuildError) || error.code !== 'NETWORK_FAILED') throw error;
    return { network: 'failed', reason: error.message, ...(error.hint !== undefined && { hint: error.hint }) };
  } finally {
    await machines.stop();
  }
}
