import type { Seeded } from '../../test/support/seeded.js';
import type { Builder, BuildRequest } from '../builders/builder.js';

/** What the workloads of one run share. */
export interface World {
  /** Contexts and archives lie here; on the same file system as the builders' data. */
  readonly dir: string;
  /** Host and port of the registry, over HTTP, that has the bases and takes what is pushed. */
  readonly registry: string;
  readonly random: Seeded;
  /** The reference of a base image of bases/, which is in the registry then. */
  base(name: string): string;
  /** Builds what a workload needs, and is not measured. */
  readonly helper: Builder;
}

/** One timed build, of which there are several. */
export interface Turn {
  readonly builder: string;
  /** From 1; 0 is the run that makes things warm. */
  readonly run: number;
}

/** A workload that is set up. */
export interface Prepared {
  /** Done ahead of each run, also of the warm one. */
  before?(turn: Turn): void;
  request(turn: Turn): BuildRequest;
  /** Throws unless what the build made, or said, is right. */
  check(turn: Turn, output: string): void;
}

export interface Workload {
  readonly id: string;
  readonly title: string;
  /** `cold`: the builder has nothing. `warm`: it has done it once. */
  readonly start: 'cold' | 'warm';
  /** The time that counts is what comes on top of the RUNs, which are the same for all. */
  readonly beyondRuns?: boolean;
  /** At most so many times what the peer takes. */
  readonly goal?: { readonly peer: string; readonly ratio: number };
  prepare(world: World): Prepared;
}

/** Steps that a builder says it took from its cache. */
export function cachedSteps(output: string): number {
  return output.match(/^#\d+ CACHED|--> Using cache/gm)?.length ?? 0;
}
