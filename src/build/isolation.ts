import { mkdirSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { TreeDialect } from '../store/refs.js';
import type { Store } from '../store/store.js';
import {
  chooseRung,
  isWorkerRung,
  RUNGS,
  type ChosenRung,
  type IsolationReport,
  type RungName,
} from '../worker/isolation/ladder.js';
import { plainLaunch, workerLaunch, type WorkerLaunch } from '../worker/isolation/launch.js';
import { probeIsolation, probeKey } from '../worker/isolation/probe.js';
import { findPrograms } from '../worker/isolation/programs.js';
import { dialectOf, type WorkerKind } from '../worker/worker-kind.js';

export interface WorkerStart extends ChosenRung {
  readonly launch: WorkerLaunch;
}

/** Reads `--isolation`; `auto` and nothing leave the choice to the machine. Throws USAGE. */
export function parseIsolation(text: string | undefined): RungName | undefined {
  if (text === undefined || text === 'auto') return undefined;
  const known = RUNGS.find(({ name }) => name === text);
  if (known) return known.name;
  throw new BuildError('USAGE', `unknown isolation \`${text}\``, {
    hint: `the rungs are: auto, ${RUNGS.map(({ name }) => name).join(', ')}`,
  });
}

/** The rung to use on this store. The probe's answer is kept beside the store for as long as it can hold. */
export async function chooseWorker(store: Store, wanted: string | undefined, opts: Cancel): Promise<WorkerStart> {
  const name = parseIsolation(wanted);
  const report = await keptReport(store, name, opts);
  const chosen = chooseRung(report, name);
  if (chosen.rung === 'chroot') return { ...chosen, launch: plainLaunch };
  const programs = findPrograms(chosen.rung, process.env);
  if ('reason' in programs) throw new BuildError('ISOLATION_UNAVAILABLE', programs.reason, { hint: programs.hint });
  return { ...chosen, launch: workerLaunch(chosen.rung, programs) };
}

/** Probes every rung on the store's own file system, now; later builds go by the answer. */
export async function probeAll(store: Store, opts: Cancel): Promise<IsolationReport> {
  await forgetReports(store);
  return await keptReport(store, RUNGS[0].name, opts);
}

/** For when a worker did not start though the kept report says that it can: the machine has changed. */
export async function forgetReports(store: Store): Promise<void> {
  for (const extent of ['first', 'all'] as const) await store.records.forgetFact(factName(extent));
}

/** The kind of worker that this job would have; undefined when no RUN is possible, or none is wanted. */
export async function workerKind(
  store: Store,
  wanted: string | undefined,
  opts: Cancel,
): Promise<WorkerKind | undefined> {
  const name = parseIsolation(wanted);
  if (name === 'none') return undefined;
  return kindOf(await keptReport(store, name, opts), name);
}

/**
 * Which trees this job will be able to read, told without probing: from the kept report, and before there is one from
 * who we are. Guessed wrong, it costs cached results and nothing else.
 */
export async function expectedDialect(store: Store, isolation: string | undefined): Promise<TreeDialect | undefined> {
  const wanted = parseIsolation(isolation);
  if (wanted === 'none') return undefined;
  const kept = (await store.records.fact(factName(wanted === undefined ? 'first' : 'all'))) as
    | IsolationReport
    | undefined;
  const kind = kept && kindOf(kept, wanted);
  if (kept) return kind && dialectOf(kind);
  return process.getuid?.() === 0 ? 'trusted' : 'user';
}

function kindOf(report: IsolationReport, wanted: RungName | undefined): WorkerKind | undefined {
  for (const { name, available, trees } of report.rungs) {
    if (wanted !== undefined && name !== wanted) continue;
    if (available && trees !== undefined && isWorkerRung(name)) return { rung: name, trees };
  }
  return undefined;
}

function factName(extent: 'first' | 'all'): string {
  return `isolation-${extent}-${process.getuid?.() ?? 'none'}`;
}

async function keptReport(store: Store, wanted: RungName | undefined, opts: Cancel): Promise<IsolationReport> {
  const extent = wanted === undefined ? 'first' : 'all';
  const fact = factName(extent);
  const key = probeKey(store.paths.root, process.env);
  const kept = (await store.records.fact(fact)) as IsolationReport | undefined;
  if (kept?.key === key && kept.rungs.some((rung) => rung.trees !== undefined)) return kept;
  const report = { ...(await probe(store, extent, opts)), key };
  await store.records.saveFact(fact, report);
  return report;
}

async function probe(store: Store, extent: 'first' | 'all', { signal }: Cancel): Promise<IsolationReport> {
  const dir = store.paths.temp(store.leaseId);
  mkdirSync(dir, { recursive: true });
  return await probeIsolation(dir, { env: process.env, extent, signal });
}
