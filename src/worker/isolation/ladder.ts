import { BuildError } from '../../base/errors.js';
import type { TreeKind, WorkerKind } from '../worker-kind.js';

/** The ways to run a RUN, best first. The names are the values of `--isolation`. */
export const RUNGS = [
  { name: 'root', title: 'root: overlayfs and an OCI runtime' },
  { name: 'userns', title: 'user namespace with subordinate ids: overlayfs and an OCI runtime, without root' },
  { name: 'userns-single', title: 'user namespace with one id' },
  { name: 'chroot', title: 'chroot in plain directories, inside an ordinary container' },
  { name: 'proot', title: 'proot, without any privilege' },
  { name: 'none', title: 'everything but RUN, in user space' },
] as const;

export type RungName = (typeof RUNGS)[number]['name'];

/** A way to make trees that does not work on a rung, and what the system said of it. */
export interface RefusedTrees {
  readonly trees: TreeKind;
  readonly reason: string;
}

/**
 * Where a rung ends: at a program or an entry in a file that is not there, at a new namespace, at a fresh /proc in it,
 * at the ids, at the trees, or at another mount; without namespaces at what root may not do, or at chroot(2).
 */
export type Obstacle =
  | 'user'
  | 'programs'
  | 'runtime'
  | 'namespaces'
  | 'proc'
  | 'ids'
  | 'trees'
  | 'mounts'
  | 'capabilities'
  | 'chroot'
  | 'version';

/** Whether this machine allows a rung, and why, in words for `slipway doctor`. Plain data, to be kept as JSON. */
export interface RungReport {
  readonly name: RungName;
  readonly available: boolean;
  readonly reason: string;
  /** How trees are made on it, where it is available and has a worker. */
  readonly trees?: TreeKind;
  /** Better ways to make trees that do not work here. */
  readonly refused?: readonly RefusedTrees[];
  /** Absent where it is available, or was not tried. */
  readonly obstacle?: Obstacle;
  /** What could be done to get it. */
  readonly hint?: string;
}

export interface IsolationReport {
  /** Equal as long as the same answers can be expected; see `probeKey`. */
  readonly key: string;
  readonly rungs: readonly RungReport[];
}

export interface ChosenRung extends WorkerKind {
  readonly reason: string;
}

/**
 * The best rung on which a RUN is possible, or the one asked for. Throws ISOLATION_UNAVAILABLE with every rung's reason.
 */
export function chooseRung(report: IsolationReport, wanted: RungName | undefined): ChosenRung {
  if (wanted === 'none') {
    throw new BuildError('ISOLATION_UNAVAILABLE', '`--isolation=none` runs no process', {
      hint: 'run `slipway doctor` to see which isolation this machine allows',
    });
  }
  const candidates = report.rungs.filter(({ name }) => name !== 'none' && (wanted === undefined || name === wanted));
  for (const { name, available, reason, trees } of candidates) {
    if (available && trees !== undefined && isWorkerRung(name)) return { rung: name, trees, reason };
  }
  const reasons = candidates.filter(({ available }) => !available);
  const hint = reasons.find((one) => one.hint !== undefined)?.hint;
  throw new BuildError(
    'ISOLATION_UNAVAILABLE',
    wanted === undefined
      ? `this machine does not allow RUN: ${reasons.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`
      : `\`--isolation=${wanted}\` is not possible: ${reasons[0]?.reason ?? 'not in this version'}`,
    {
      hint:
        hint === undefined
          ? 'run `slipway doctor` to see what this machine allows, and how to get more'
          : `${hint}; \`slipway doctor\` tells more`,
    },
  );
}

/** Whether a RUN is possible on a rung of this name, in this version. */
export function isWorkerRung(name: RungName): name is WorkerKind['rung'] {
  return name !== 'proot' && name !== 'none';
}
