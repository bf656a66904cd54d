import { BuildError } from '../../base/errors.js';
import type { Store } from '../../store/store.js';
import type { LayerContent } from '../layer-content.js';
import type { Progress } from '../machine.js';
import { dialectOf, type WorkerKind } from '../worker-kind.js';
import { OverlayTrees } from './overlay-trees.js';
import type { Trees } from './types.js';

export interface TreesContext {
  readonly store: Store;
  readonly layers: LayerContent;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/** The trees of a kind of worker. */
export function openTrees(kind: WorkerKind, { store, layers, onProgress }: TreesContext): Trees {
  const dialect = dialectOf(kind);
  switch (dialect) {
    case 'trusted':
    case 'user':
    case 'single':
      return new OverlayTrees(store, layers, dialect, onProgress);
    default:
      throw new BuildError('ISOLATION_UNAVAILABLE', `this version has no \`${dialect}\` trees`);
  }
}
