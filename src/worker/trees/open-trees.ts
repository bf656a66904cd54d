import { BuildError } from '../../base/errors.js';
import { findProgram } from '../../executor/runtime.js';
import type { Store } from '../../store/store.js';
import type { LayerContent } from '../layer-content.js';
import type { Progress } from '../machine.js';
import { dialectOf, keepsLayers, type WorkerKind } from '../worker-kind.js';
import { FuseStacking } from './fuse-stacking.js';
import { OverlayStacking } from './overlay-stacking.js';
import { StackedTrees } from './stacked-trees.js';
import type { Stacking } from './stacking.js';
import type { Trees } from './types.js';

export interface TreesContext {
  readonly store: Store;
  readonly layers: LayerContent;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/** The trees of a kind of worker. */
export function openTrees(kind: WorkerKind, context: TreesContext): Trees {
  const dialect = dialectOf(kind);
  const stacking = stackingOf(kind, context.store.paths.trees);
  return new StackedTrees({ ...context, dialect, stacking, keepsLayers: keepsLayers(kind) });
}

function stackingOf({ rung, trees }: WorkerKind, dir: string): Stacking {
  switch (trees) {
    case 'overlay':
      return new OverlayStacking(dir, rung === 'root' ? 'overlay-trusted' : 'overlay-user');
    case 'fuse': {
      const program = findProgram('fuse-overlayfs', process.env);
      if (program !== undefined) return new FuseStacking(dir, program);
      throw new BuildError('ISOLATION_UNAVAILABLE', '`fuse-overlayfs` is not installed', {
        hint: 'install it, for example `apt-get install fuse-overlayfs`',
      });
    }
    case 'plain':
      throw new BuildError('ISOLATION_UNAVAILABLE', 'this version has no plain trees');
  }
}
