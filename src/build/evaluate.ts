import { randomBytes } from 'node:crypto';
import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import type { Edge } from '../llb/types.js';
import { solve } from '../solver/solver.js';
import type { Store } from '../store/store.js';
import { belowNetworks, branchingSteps, copiedFromSteps, stepsOfImage, wantedFaces } from '../worker/faces.js';
import type { RefId } from '../worker/machine.js';
import type { Machines } from '../worker/machines.js';
import type { Sources } from '../worker/ops/source.js';
import { ResultCache } from '../worker/result-cache.js';
import { opRunners } from '../worker/runners.js';
import { expectedDialect } from './isolation.js';

/**
 * Ops that may execute at once. A RUN takes of this program no more than a mount, a child and a pipe, and how much of the
 * machine it takes is the user's affair: as many as a Dockerfile has run beside each other, as in BuildKit, which sets no
 * limit. This one only keeps a file of a thousand stages from a thousand processes.
 */
const PARALLELISM = { processes: 64, others: 8 };

export interface Evaluation {
  readonly store: Store;
  readonly machines: Machines;
  readonly sources: Sources;
  /** As `--isolation` has it. */
  readonly isolation: string | undefined;
}

/** The file system that an edge of the graph comes to. */
export async function evaluate(target: Edge | undefined, evaluation: Evaluation, job: JobContext): Promise<RefId> {
  if (!target) return null;
  const { store, machines, sources, isolation } = evaluation;
  const plan = {
    faces: wantedFaces(target.vertex),
    branching: branchingSteps(target.vertex),
    ofImage: stepsOfImage(target.vertex),
    copied: copiedFromSteps(target.vertex),
    belowNetworks: belowNetworks(target.vertex),
  };
  const options = {
    resolve: opRunners(machines, sources, plan, store.refs),
    cache: new ResultCache(store, await expectedDialect(store, isolation)),
    parallelism: PARALLELISM,
    nonce: () => randomBytes(16).toString('hex'),
  };
  const result = await rememberingContexts(machines, job, () => solve(target, options, job));
  if (result.kind !== 'ref') throw new Error('the target is a local directory');
  return result.ref;
}

/** What local directories looked like is worth to be known also after a step that failed, but not where it was wrong. */
async function rememberingContexts<T>(machines: Machines, { signal }: JobContext, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    if (error instanceof BuildError && error.code === 'CONTEXT_INVALID') await machines.forgetContexts();
    else if (!signal.aborted) await machines.rememberContexts().catch(() => undefined); // the step's error is the one to tell
    throw error;
  }
  await machines.rememberContexts();
  return result;
}
