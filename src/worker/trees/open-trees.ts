import { BuildError } from '../../base/errors.js';
import { findProgram } from '../../executor/runtime.js';
import type { Store } from '../../store/store.js';
import type { LayerContent } from '../layer-content.js';
import type { Progress } from '../machine.js';
import { dialectOf, keepsLayers, type WorkerKind } from '../worker-kind.js';
import { FuseStacking } from './fuse-stacking.js';
import { OverlayStacking } from './overlay-stacking.js';
import { PlainTrees } from './plain-trees.js';
import { StackedTrees } from './stacked-trees.js';
import type { Trees } from './types.js';

export interface TreesContext {
  readonly store: Store;
  readonly layers: LayerContent;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/** The trees of a kind of worker. */
export function openTrees(kind: WorkerKind, context: TreesContext): Trees {
  const { paths } = context.store;
  const dialect = dialectOf(kind);
  const owners = kind.rung === 'userns-single' ? 'recorded' : 'on-disk';
  switch (kind.trees) {
    case 'overlay': {
      const stacking = new OverlayStacking(paths.trees, kind.rung === 'root' ? 'overlay-trusted' : 'overlay-user');
      return new StackedTrees({ ...context, dialect, stacking, owners, keepsLayers: keepsLayers(kind) });
    }
    case 'fuse': {
      const stacking = new FuseStacking(paths.trees, fuseProgram());
      return new StackedTrees({ ...context, dialect, stacking, owners, keepsLayers: keepsLayers(kind) });
    }
    case 'plain':
      return new PlainTrees({ ...context, dialect, owners, mounts: kind.rung !== 'chroot' });
  }
}

function fuseProgram(): string {
  const program = findProgram('fuse-overlayfs', process.env);
  if (program !== undefined) return program;
  throw new BuildError('ISOLATION_UNAVAILABLE', '`fuse-overlayfs` is not installed', {
    hint: 'install it, for example `apt-get install fuse-overlayfs`',
  });
}
