import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fromText } from '../base/bytes.js';
import { unmountBelow } from '../base/linux/mounts-below.js';
import { Store } from '../store/store.js';
import { LayerContent } from './layer-content.js';
import { LocalMachine } from './local-machine.js';
import { OverlayStacking } from './trees/overlay-stacking.js';
import { StackedTrees } from './trees/stacked-trees.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-machine-'));
afterAll(() => {
  unmountBelow(fromText(base));
  rmSync(base, { recursive: true, force: true });
});

test.skipIf(process.getuid?.() !== 0)(
  'leaving in the middle of a call takes its mounts and folders (needs root)',
  async () => {
    const { store, lease } = await Store.open(path.join(base, 'store'), { signal: new AbortController().signal });
    const trees = new StackedTrees({
      store,
      layers: new LayerContent(store),
      dialect: 'trusted',
      stacking: new OverlayStacking(store.paths.trees, 'overlay-trusted'),
      keepsLayers: false,
      owners: 'on-disk',
      onProgress: undefined,
    });
    const opts = { signal: new AbortController().signal };
    const lower = await trees.mountActive(null, opts);
    writeFileSync(path.join(lower.root, 'f'), 'kept');
    await lower.commit('r1', opts);
    await store.refs.save({ id: 'r1' });
    lower[Symbol.dispose]();
    await trees.mount('r1', opts); // read-only, so that nothing in it can be removed
    await trees.mountActive('r1', opts);
    new LocalMachine(store, { rung: 'root', trees: 'overlay' }).leave();
    expect(existsSync(store.paths.work(store.leaseId))).toBe(false);
    expect(readdirSync(trees.path((await store.refs.tree('r1', 'trusted'))!))).toEqual(['f']);
    await lease.release();
  },
);
