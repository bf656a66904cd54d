import type { Cancel } from '../base/abort.js';
import { fromText } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import { fileSystemType } from '../base/linux/statfs.js';
import type { Store } from '../store/store.js';
import { chooseRung, RUNGS, type RungReport } from '../worker/isolation/ladder.js';
import { parseIsolation, probeAll } from './isolation.js';

/** What this machine can do. */
export interface MachineReport {
  readonly store: { readonly root: string; readonly fileSystem: string };
  readonly user: { readonly uid: number | undefined };
  readonly rungs: readonly (RungReport & { readonly title: string })[];
  /** Absent when RUN is not possible. */
  readonly chosen?: { readonly rung: string; readonly reason: string };
}

/** Probes every rung, and says which one a build would use. */
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
  return {
    store: { root: store.paths.root, fileSystem: fileSystemType(fromText(store.paths.root)) },
    user: { uid: process.getuid?.() },
    rungs: report.rungs.map((rung) => ({ ...rung, title: titles.get(rung.name)! })),
    ...(chosen && { chosen }),
  };
}
