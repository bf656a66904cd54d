import type { UserNamespace } from '../executor/oci-spec.js';
import type { TreeDialect } from '../store/refs.js';

/** The rungs of the ladder on which a RUN is possible. */
export type WorkerRung = 'root' | 'userns' | 'userns-single' | 'chroot';

/** How the file system of a step is made of those below: stacked, stacked by a program, or copied and changed in place. */
export type TreeKind = 'overlay' | 'fuse' | 'plain';

/** What kind of worker a job has. Plain data: it crosses to the worker. */
export interface WorkerKind {
  readonly rung: WorkerRung;
  readonly trees: TreeKind;
}

/** What the trees of this kind of worker are written for. */
export function dialectOf({ rung, trees }: WorkerKind): TreeDialect {
  switch (rung) {
    case 'root':
    case 'chroot':
      return trees === 'overlay' ? 'trusted' : trees;
    case 'userns':
      return trees === 'overlay' ? 'user' : `${trees}-user`;
    case 'userns-single':
      return trees === 'overlay' ? 'single' : `${trees}-single`;
  }
}

/**
 * Whether every change has its layer from the start, because its tree alone would not tell all: plain trees are changed
 * by the next step, those for fuse-overlayfs do not have which names are one file, and those of a single id do not have
 * their owners.
 */
export function keepsLayers({ rung, trees }: WorkerKind): boolean {
  return trees !== 'overlay' || rung === 'userns-single';
}

export function userNamespaceOf({ rung }: WorkerKind): UserNamespace {
  if (rung === 'userns') return 'many-ids';
  return rung === 'userns-single' ? 'one-id' : 'none';
}
