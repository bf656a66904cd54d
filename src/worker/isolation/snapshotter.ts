import { BuildError } from '../../base/errors.js';
import type { TreeKind } from '../worker-kind.js';

/** buildkitd's names for the ways in which trees are made. */
const SNAPSHOTTERS: Readonly<Record<string, readonly TreeKind[]>> = {
  // Not fuse-overlayfs: what it makes of links and times is not always what the others make (docs/isolation.md).
  auto: ['overlay', 'plain'],
  overlayfs: ['overlay'],
  'fuse-overlayfs': ['fuse'],
  native: ['plain'],
};

/** Ways of making trees, best first: those that `SLIPWAY_SNAPSHOTTER` allows. Throws CONFIG_INVALID. */
export function treeKinds(env: NodeJS.ProcessEnv): readonly TreeKind[] {
  const name = env['SLIPWAY_SNAPSHOTTER'] || 'auto';
  const kinds = Object.hasOwn(SNAPSHOTTERS, name) ? SNAPSHOTTERS[name] : undefined;
  if (kinds) return kinds;
  throw new BuildError('CONFIG_INVALID', `unknown snapshotter \`${name}\` in SLIPWAY_SNAPSHOTTER`, {
    hint: `the snapshotters are: ${Object.keys(SNAPSHOTTERS).join(', ')}`,
  });
}
