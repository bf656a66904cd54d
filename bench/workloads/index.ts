import { changed, cold, noop } from './app.js';
import { bigFile, copyMany, noopOfMany, oneOfMany } from './files.js';
import { chain, diamond, heavyBase } from './steps.js';
import type { Workload } from './workload.js';

export const WORKLOADS: readonly Workload[] = [
  noop,
  noopOfMany,
  copyMany,
  oneOfMany,
  bigFile,
  cold,
  changed,
  diamond,
  chain,
  heavyBase,
];
