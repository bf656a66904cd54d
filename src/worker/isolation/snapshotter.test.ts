import { expect, test } from 'vitest';
import { treeKinds } from './snapshotter.js';

test('trees are stacked by the kernel or copied, unless the environment says otherwise', () => {
  expect(treeKinds({})).toEqual(['overlay', 'plain']);
  expect(treeKinds({ SLIPWAY_SNAPSHOTTER: '' })).toEqual(['overlay', 'plain']);
  expect(treeKinds({ SLIPWAY_SNAPSHOTTER: 'fuse-overlayfs' })).toEqual(['fuse']);
  expect(treeKinds({ SLIPWAY_SNAPSHOTTER: 'native' })).toEqual(['plain']);
});

test('what is none is told with what there is', () => {
  expect(() => treeKinds({ SLIPWAY_SNAPSHOTTER: 'toString' })).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      hint: 'the snapshotters are: auto, overlayfs, fuse-overlayfs, native',
    }),
  );
});
