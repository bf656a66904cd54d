import type { LineRange } from '../diagnostic.js';
import type { Warning } from './checker.js';

/** What the checks say of one Dockerfile. */
export interface CheckReport {
  /** As shown: the path that was asked for. */
  readonly fileName: string;
  readonly source: string;
  /** In the order in which they were found. */
  readonly warnings: readonly Warning[];
  /** What keeps it from being built, whether or not there are warnings; then some checks may not have been reached. */
  readonly error: CheckError | undefined;
  /** Bases that were not found: what depends on their variables was not checked. */
  readonly assumedBases: readonly string[];
}

export interface CheckError {
  readonly message: string;
  readonly hint: string | undefined;
  /** undefined: the file as a whole. */
  readonly range: LineRange | undefined;
}
