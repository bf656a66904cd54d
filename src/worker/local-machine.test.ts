import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fromText } from '../base/bytes.js';
import { unmountBelow } from '../base/linux/mounts-below.js';
import { Store } from '../store/store.js';
import { LayerContent } from './layer-content.js';
import { LocalMachine } from './local-machine.js';
import { Trees } from './trees.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-machine-'));
afterAll(() => {
  unmountBelow(fromText(base));
  rmSync(base, { recursive: true, force: true });
});

test.skipIf(process.getuid?.() !== 0)(
  'leaving in the middle of a call takes its mounts and folders (needs root)',
  async () => {
    const { store, lease } = await Store.open(path.join(base, 'store'), { signal: new AbortController().signal });
    const trees = new Trees(store, new LayerContent(store), 'trusted');
    const lower = trees.mountActive([]);
    writeFileSync(path.join(lower.root, 'f'), 'kept');
    const name = lower.commit();
    lower[Symbol.dispose]();
    trees.mount([name]); // read-only, so that nothing in it can be removed
    trees.mountActive([name]);
    new LocalMachine(store, 'trusted').leave();
    expect(existsSync(store.paths.work(store.leaseId))).toBe(false);
    expect(readdirSync(trees.path(name))).toEqual(['f']);
    await lease.release();
  },
);
