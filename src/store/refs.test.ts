import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mediaTypes } from '../oci/descriptor.js';
import { digestOf, type DiffId } from '../oci/digest.js';
import { StorePaths } from './paths.js';
import { holdsNothing } from './lease-file.js';
import { RefStore, type LayerFact } from './refs.js';

const root = mkdtempSync(path.join(tmpdir(), 'slipway-refs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const paths = new StorePaths(root);
mkdirSync(paths.refs, { recursive: true });
mkdirSync(paths.temp(holdsNothing.leaseId), { recursive: true });
const refs = new RefStore(paths, holdsNothing);
const fact = (diffId: string, blob: string): LayerFact => ({
  diffId: digestOf(diffId) as string as DiffId,
  blob: { mediaType: mediaTypes.layerGzip, digest: digestOf(blob), size: 1 },
});

test('an image that claims the diffIDs of another does not get its refs, nor gives it its own', () => {
  const genuine = refs.layerRefId(undefined, fact('diff', 'blob'));
  expect(refs.layerRefId(undefined, fact('diff', 'blob'))).toBe(genuine);
  expect(refs.layerRefId(undefined, fact('diff', 'other blob'))).not.toBe(genuine);
  expect(refs.layerRefId(genuine, fact('diff', 'blob'))).not.toBe(genuine);
});

test('a stack of which a ref is gone or cut short is an error, and not a shorter one', async () => {
  await refs.save({ id: 'a' });
  await refs.save({ id: 'b', parent: 'a' });
  expect((await refs.chain('b')).map(({ id }) => id)).toEqual(['a', 'b']);
  writeFileSync(path.join(paths.refs, 'a.json'), '');
  const later = new RefStore(paths, holdsNothing);
  expect(await later.load('a')).toBeUndefined();
  await expect(later.chain('b')).rejects.toMatchObject({ code: 'STORE_INVALID' });
});

test('what was not there is looked for again', async () => {
  expect(await refs.load('c')).toBeUndefined();
  expect(await refs.layer('c')).toBeUndefined();
  const other = new RefStore(paths, holdsNothing);
  await other.save({ id: 'c' });
  await other.saveLayer('c', fact('diff', 'blob'));
  expect(await refs.load('c')).toEqual({ id: 'c' });
  expect(await refs.layer('c')).toEqual(fact('diff', 'blob'));
});
