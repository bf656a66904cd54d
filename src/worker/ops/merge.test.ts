import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeVertex } from '../../llb/vertex.js';
import { holdsNothing } from '../../store/lease-file.js';
import { StorePaths } from '../../store/paths.js';
import { facesOf, RefStore } from '../../store/refs.js';
import { MergeRunner } from './merge.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'slipway-merge-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
for (const dir of ['refs']) mkdirSync(path.join(root, dir), { recursive: true });
const refs = new RefStore(new StorePaths(root), holdsNothing);
const vertex = makeVertex({ kind: 'merge' }, [], { os: 'linux', architecture: 'amd64' }, { name: 'merge' });

async function merge(...ids: readonly (string | null)[]): Promise<string | null> {
  const [result] = await new MergeRunner(vertex, refs).exec(ids.map((ref) => ({ kind: 'ref', ref })));
  return result?.kind === 'ref' ? result.ref : null;
}

test('a merge is a chain on the first input that shares the changes of the others', async () => {
  await refs.save({ id: 'base' });
  await refs.save({ id: 'low', createdAt: 1, description: 'COPY' });
  await refs.save({ id: 'high', parent: 'low', createdAt: 2 });
  const merged = await merge('base', 'high');
  const chain = await refs.chain(merged!);
  expect(chain!.map(facesOf)).toEqual(['base', 'low', 'high']);
  expect(chain![1]).toMatchObject({ parent: 'base', createdAt: 1, description: 'COPY' });
  const again = await refs.chain((await merge('base', merged))!);
  expect(again!.map(facesOf)).toEqual(['base', 'base', 'low', 'high']);
});

test('empty inputs add nothing', async () => {
  await refs.save({ id: 'base' });
  expect(await merge(null, 'base')).toBe('base');
  expect(await merge('base', null)).toBe('base');
  expect(await merge(null, null)).toBe(null);
});
