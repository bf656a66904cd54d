import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { replaceFile } from '../../base/atomic-file.js';
import { hasCode } from '../../base/errors.js';
import { lockPath } from '../../base/path-lock.js';
import { hexOf, type Digest } from '../../oci/digest.js';
import { standsOn } from '../gc/cache-refs.js';
import { depthBy } from '../gc/depth.js';
import { listStore, type Listing } from '../gc/listing.js';
import { readLayer, readRef } from '../gc/reach.js';
import { withLock } from '../lock.js';
import type { StorePaths } from '../paths.js';
import { indexOfWholeImages } from './whole-images.js';
import type { Damage } from './types.js';

/**
 * Mends what can be made anew: cached results that are not whole are forgotten, blobs with wrong bytes set aside below
 * `damaged/`, so that the right ones can come in their place. Images keep their names; only a list of images that cannot be
 * read is written anew, without names. No job begins to use anything meanwhile. What leads to something goes first, so a kill
 * leaves no more damage than there was.
 */
export async function repairStore(paths: StorePaths, damage: readonly Damage[], { signal }: Cancel): Promise<void> {
  const listing = listStore(paths);
  const wrong = new Set(damage.flatMap(({ repair }) => (repair.kind === 'blob' ? [repair.digest] : [])));
  const { broken, leading } = brokenRefs(paths, listing, damage, wrong);
  const records = listing.records.filter(
    ({ record }) => record && 'results' in record && record.results.some((id) => leading.has(id)),
  );
  const files = damage.flatMap(({ repair }) => (repair.kind === 'file' ? [repair.path] : []));
  const gate = await lockPath(paths.gcLock, 'file', 'exclusive', { signal });
  try {
    for (const { file } of records) rmSync(file, { force: true });
    for (const file of files) rmSync(file, { force: true });
    for (const id of leading) rmSync(path.join(paths.refs, `${id}.json`), { force: true });
    for (const id of broken) {
      for (const name of listing.refs.get(id) ?? []) rmSync(path.join(paths.refs, name), { force: true });
    }
    for (const digest of wrong) setAside(paths.blob(digest), hexOf(digest), paths);
  } finally {
    gate.release();
  }
  if (damage.some(({ repair }) => repair.kind === 'index')) await rewriteIndex(paths, signal);
}

/** The refs that are broken themselves, and all that stand on such. */
function brokenRefs(
  paths: StorePaths,
  listing: Listing,
  damage: readonly Damage[],
  wrong: ReadonlySet<Digest>,
): { readonly broken: ReadonlySet<string>; readonly leading: ReadonlySet<string> } {
  const broken = new Set(damage.flatMap(({ repair }) => (repair.kind === 'ref' ? [repair.id] : [])));
  const below = new Map([...listing.refs.keys()].map((id) => [id, standsOn(readRef(paths, id))]));
  for (const id of below.keys()) {
    const layer = readLayer(paths, id);
    if (layer && wrong.has(layer.blob.digest)) broken.add(id);
  }
  const leading = new Set(broken);
  const depths = depthBy((id) => below.get(id) ?? []);
  for (const [id, refs] of [...below].toSorted(([a], [b]) => depths(a) - depths(b))) {
    if (refs.some((one) => leading.has(one))) leading.add(id);
  }
  return { broken, leading };
}

async function rewriteIndex(paths: StorePaths, signal: AbortSignal): Promise<void> {
  await withLock(paths.lock('index'), signal, async () => {
    const index = indexOfWholeImages(paths);
    if (existsSync(paths.index)) copyAside(paths.index, 'index.json', paths);
    await replaceFile(paths.index, JSON.stringify(index, undefined, 2), paths.damaged);
  });
}

/** For what must not be missing, not even for a moment. */
function copyAside(from: string, name: string, paths: StorePaths): void {
  mkdirSync(paths.damaged, { recursive: true });
  copyFileSync(from, path.join(paths.damaged, name));
}

function setAside(from: string, name: string, paths: StorePaths): void {
  mkdirSync(paths.damaged, { recursive: true });
  try {
    renameSync(from, path.join(paths.damaged, name));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error; // else it was removed meanwhile
  }
}
