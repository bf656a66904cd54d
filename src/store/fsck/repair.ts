import { mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { hasCode } from '../../base/errors.js';
import { lockPath } from '../../base/path-lock.js';
import { hexOf } from '../../oci/digest.js';
import { listStore } from '../gc/listing.js';
import { Reach, readLayer } from '../gc/reach.js';
import type { StorePaths } from '../paths.js';
import type { Damage } from './types.js';

/**
 * Mends what can be made anew: cached results that are not whole are forgotten, blobs with wrong bytes set aside below
 * `damaged/`, so that the right ones can come in their place. Images keep their names. No job begins to use anything
 * meanwhile. What leads to something goes first, so a kill leaves no more damage than there was.
 */
export async function repairStore(paths: StorePaths, damage: readonly Damage[], { signal }: Cancel): Promise<void> {
  const gate = await lockPath(paths.gcLock, 'file', 'exclusive', { signal });
  try {
    const wrong = new Set(damage.flatMap(({ repair }) => (repair.kind === 'blob' ? [repair.digest] : [])));
    const listing = listStore(paths);
    const broken = new Set(damage.flatMap(({ repair }) => (repair.kind === 'ref' ? [repair.id] : [])));
    for (const id of listing.refs.keys()) {
      const layer = readLayer(paths, id);
      if (layer && wrong.has(layer.blob.digest)) broken.add(id);
    }
    const lead = (id: string): boolean => {
      const reach = new Reach(paths, listing);
      reach.addRef(id);
      return [...broken].some((one) => reach.refs.has(one));
    };
    const leading = new Set([...listing.refs.keys()].filter(lead));
    for (const { file, record } of listing.records) {
      if (record && 'results' in record && record.results.some((id) => leading.has(id))) rmSync(file, { force: true });
    }
    for (const { repair } of damage) if (repair.kind === 'file') rmSync(repair.path, { force: true });
    for (const id of leading) rmSync(path.join(paths.refs, `${id}.json`), { force: true });
    for (const id of broken) {
      for (const name of listing.refs.get(id) ?? []) rmSync(path.join(paths.refs, name), { force: true });
    }
    if (wrong.size > 0) mkdirSync(paths.damaged, { recursive: true });
    for (const digest of wrong) setAside(paths.blob(digest), path.join(paths.damaged, hexOf(digest)));
  } finally {
    gate.release();
  }
}

function setAside(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error; // else it was removed meanwhile
  }
}
