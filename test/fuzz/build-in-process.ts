import { performance } from 'node:perf_hooks';
import { expect } from 'vitest';
import { BuildError, build, type BuildOptions } from '../../src/build/index.js';
import { Watchdog } from './watchdog.js';

/** Where the seeds begin; set it to a seed that a failure names, to see that one first. */
export const FIRST_SEED = Number(process.env['SLIPWAY_TEST_SEED'] ?? 1);

/** Far above what any takes on a busy machine: what is meant is work that grows without end. */
const HANG_MS = 40_000;

/** How many builds came to what. */
export interface Outcomes {
  built: number;
  failed: number;
}

/** Builds to an image in the store. An error that a user can act on is as good; anything else is thrown. */
export async function tryBuild(
  options: Pick<BuildOptions, 'context' | 'root' | 'buildContexts'>,
  outcomes: Outcomes,
): Promise<void> {
  try {
    await build({ ...options, tags: ['fuzz'], noCache: true, offline: true, signal: AbortSignal.timeout(30_000) });
    outcomes.built++;
  } catch (error) {
    requireOwn(error);
    outcomes.failed++;
  }
}

/** Throws what is no error that a user can act on. */
export function requireOwn(error: unknown): asserts error is BuildError {
  if (!(error instanceof BuildError)) throw error;
  expect(error.message).not.toMatch(/\n {4}at |this is a bug/);
}

/** Runs `one` for that many seeds; says which seed failed, took too long or hangs. */
export async function forSeeds(what: string, runs: number, one: (seed: number) => Promise<void>): Promise<void> {
  using watchdog = new Watchdog(`${what}, by seed`);
  for (let seed = FIRST_SEED; seed < FIRST_SEED + runs; seed++) {
    watchdog.begin(seed);
    const before = performance.now();
    try {
      await one(seed);
    } catch (error) {
      throw new Error(`${what}: SLIPWAY_TEST_SEED=${seed}`, { cause: error });
    }
    expect(performance.now() - before, `${what}: SLIPWAY_TEST_SEED=${seed} took`).toBeLessThan(HANG_MS);
  }
}
