import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { encodeHeader, TAR_END } from '../../layer/tar-writer.js';
import { mediaTypes } from '../../oci/descriptor.js';
import type { DiffId } from '../../oci/digest.js';
import { Store } from '../../store/store.js';
import { LayerContent } from '../layer-content.js';
import type { Progress } from '../machine.js';
import { OverlayStacking } from './overlay-stacking.js';
import { StackedTrees } from './stacked-trees.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-trees-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };

test('jobs that unpack the same layer at the same time keep one tree', async () => {
  const jobs = await Promise.all(Array.from({ length: 4 }, () => Store.open(path.join(base, 'store'), opts)));
  const { store } = jobs[0]!;
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  const entry = { path: 'a', type: 'dir', mode: 0o755, uid, gid, size: 0, mtime: 0 } as const;
  const tar = Buffer.concat([encodeHeader(entry), TAR_END]);
  const digest = await store.blobs.putBytes(tar);
  const fact = {
    diffId: digest as string as DiffId,
    blob: { mediaType: mediaTypes.layer, digest, size: tar.byteLength },
  };
  const id = store.refs.layerRefId(undefined, fact);
  await store.refs.save({ id });
  await store.refs.saveLayer(id, fact);
  const told: Progress[] = [];
  const trees = jobs.map(
    (job) =>
      new StackedTrees({
        store: job.store,
        layers: new LayerContent(job.store),
        dialect: 'user',
        stacking: new OverlayStacking(job.store.paths.trees, 'overlay-user'),
        keepsLayers: false,
        owners: 'on-disk',
        onProgress: (one) => told.push(one),
      }),
  );
  const names = await Promise.all(trees.map((one) => one.ensure(id, opts)));
  expect(readdirSync(store.paths.trees)).toEqual(names[0]);
  expect(new Set(names.flat()).size).toBe(1);
  expect(readdirSync(trees[0]!.path(names[0]![0]!))).toEqual(['a']);
  const { length } = tar;
  expect(told).toEqual([{ item: `unpacking ${digest.slice(7, 19)}`, current: length, total: length, done: true }]);
  for (const { lease } of jobs) await lease.release();
});
