import type { Cancel } from '../../base/abort.js';
import type { TreeDialect as Marks } from '../../layer/node-writer.js';
import type { LowerView } from '../../snapshot/types.js';

/** Trees that appear as one file system at a directory. */
export interface Stack {
  /** Takes the file system away, also while something still reads in it. */
  [Symbol.dispose](): void;
}

/** One that takes changes. */
export interface ActiveStack extends Stack {
  /** Throws WORKER_FAILED when the file system broke while it was in use: what a process met then was not the tree. */
  check(): void;
  /**
   * Takes the file system away; after that the upper directory has all that was written, and nothing changes it any more.
   * Throws WORKER_FAILED when the file system broke while it was in use.
   */
  finish(opts: Cancel): Promise<void>;
  /** After `finish`: makes the upper directory say what overlayfs would have left in it. `lower` shows what lies below. */
  settle(lower: LowerView, opts: Cancel): void;
}

/** How trees are stacked. Lower trees go lowest first; names are relative to the folder of the trees. */
export interface Stacking {
  /** How a tree says that something below it is gone. */
  readonly marks: Exclude<Marks, 'plain'>;
  /** Whether `prepare` makes separate files of names that are one file. */
  readonly partsLinks: boolean;
  /** How many trees one stack can have. */
  readonly maxLowers: number;
  /** Shows at least one tree, to be read only. */
  view(lowers: readonly string[], target: string, opts: Cancel): Promise<Stack>;
  /** Shows trees with `upper` on top, which takes every change. `upper` and `work` are empty directories. */
  active(lowers: readonly string[], upper: string, work: string, target: string, opts: Cancel): Promise<ActiveStack>;
  /** Makes a tree that is whole, and has its layer, fit to lie in a stack. */
  prepare(tree: string, opts: Cancel): void;
}
