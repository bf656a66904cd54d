import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { explainSystemError } from '../base/system-errors.js';
import { checkOptionsFor } from '../dockerfile/checks/check-options.js';
import { Checker } from '../dockerfile/checks/checker.js';
import type { JobContext } from '../job/context.js';
import { Store, storeRoot } from '../store/store.js';
import { BaseImages } from './base-images.js';
import { namedContexts } from './contexts.js';
import { convertFile } from './convert-file.js';
import { requireAllowed } from './entitlements.js';
import { earlyForms } from './early-forms.js';
import { evaluate } from './evaluate.js';
import { exportResult } from './export-result.js';
import { LazyRegistries } from './lazy-registries.js';
import { openMachines } from './open-machines.js';
import { requireOwnFrontend } from './frontend.js';
import type { BuildOptions, BuildResult } from './options.js';
import { openMainContext, withoutTold } from './remote-context.js';
import { openSources } from './sources.js';
import { prepareOutputs } from './prepare-outputs.js';
import { provenanceOf } from './provenance.js';
import { requireExportable } from './require-exportable.js';
import { requireNoProcess } from './require-no-process.js';
import { StepCounter, withPlaces } from './steps.js';

/**
 * Builds a Dockerfile. Throws DockerfileError for faults of the file, RunFailedError for a RUN that failed, BuildError
 * for everything else that the user can mend, and the signal's reason when it is aborted. Whatever happens, the store is
 * whole and nothing is left running or mounted.
 */
export async function build(options: BuildOptions): Promise<BuildResult> {
  options.signal.throwIfAborted();
  const opened = await Store.open(storeRoot(options.root, process.env), options);
  try {
    const result = await run(options, opened.store);
    if (result.counts.ran > 0) await keepSmall(options, opened.store);
    return result;
  } catch (error) {
    options.signal.throwIfAborted();
    throw explainSystemError(error, 'the build was writing to the store');
  } finally {
    await opened.lease.release();
  }
}

/** What a build has made may be more than the store is to have. Loaded when it is needed: most builds make nothing. */
async function keepSmall(
  { signal, emit = () => undefined, now = Date.now }: BuildOptions,
  store: Store,
): Promise<void> {
  const { pruneByRules } = await import('./prune.js');
  await pruneByRules(store, { signal, emit, now, session: { contexts: new Map() } });
}

async function run(options: BuildOptions, store: Store): Promise<BuildResult> {
  requireExportable(options);
  const now = options.now ?? Date.now;
  const startedAt = now();
  const named = await namedContexts(options.buildContexts ?? {});
  const counter = new StepCounter();
  const contexts = new Map(named.locals);
  const opening: JobContext = {
    signal: options.signal,
    now,
    session: {
      contexts,
      secrets: new Map(Object.entries(options.secrets ?? {})),
      agents: agentsOf(options),
    },
    emit: (event) => {
      counter.count(event);
      options.emit?.(event);
    },
  };
  const registries = new LazyRegistries(process.env, options);
  const bases = new BaseImages({
    store,
    contexts: named.images,
    pull: options.pull ?? false,
    ...(!options.offline && { registries }),
  });
  const uploads = new Map<string, string>();
  const sources = openSources(store, bases, uploads);
  let isolation: BuildResult['isolation'];
  let preparing: Promise<void> | undefined;
  const over = new AbortController();
  const machines = openMachines({
    onIsolation: (chosen) => (isolation = chosen),
    onWait: () => (preparing ??= prepareOutputs(options, registries, { signal: over.signal })),
    store,
    job: opening,
    isolation: options.isolation,
    trustHostCa: options.trustHostCa ?? false,
    beginCopy: earlyForms(options, store),
  });
  try {
    const evaluation = { store, machines, sources, isolation: options.isolation };
    const { file, local, edge: context, told } = await openMainContext(options, evaluation, uploads, opening);
    if (local) contexts.set('context', local);
    requireOwnFrontend(file, options.buildArgs ?? {});
    const job = withoutTold(opening, told);
    const checks = checkOptionsFor(file.source, options.buildArgs ?? {});
    const checker = new Checker(checks, (warning) => job.emit({ type: 'check', ...warning, at: now() }));
    const converted = await convertFile(
      { options, file, ignore: local?.ignore ?? '', context, named, bases },
      { watcher: checker },
    );
    checker.refuseWarnings();
    requireAllowed(converted.target, options);
    requireNoProcess(converted.target, file, options);
    const ref = await withPlaces(file, converted.target, job, (job) => evaluate(converted.target, evaluation, job));
    const invocationId = randomBytes(16).toString('hex');
    const facts = { options, converted, file, context, sources, job, startedAt, invocationId };
    const provenance = options.provenance === false ? undefined : await provenanceOf(facts);
    const input = { options, store, machines, registries, converted, ref, job, counter, startedAt };
    const exported = await exportResult({ ...input, ...(provenance && { provenance }) });
    return { ...exported, invocationId, ...(isolation && { isolation }) };
  } finally {
    over.abort();
    await machines.stop();
    await registries.close();
  }
}

/** Sockets by id. A context that is fetched by ssh may use the user's agent without being told so, as with buildx. */
function agentsOf({ context, ssh }: BuildOptions): ReadonlyMap<string, string> {
  const own = process.env['SSH_AUTH_SOCK'];
  const isSsh = /^(?:ssh:\/\/|[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:)/.test(context);
  const given = ssh ?? (isSsh && own ? { default: own } : {});
  return new Map(Object.entries(given).map(([id, socket]) => [id, path.resolve(socket)]));
}
