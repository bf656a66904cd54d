import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { hasCode } from '../../base/errors.js';
import { lockPath } from '../../base/path-lock.js';
import type { Digest } from '../../oci/digest.js';
import type { NamedImage } from '../images.js';
import { sweepDeadLeases } from '../leases.js';
import type { Store } from '../store.js';
import { toDigestFact } from '../stored-json.js';
import { diskUsage } from './disk-usage.js';
import { listLeftovers, removePassedLocks } from './leftovers.js';
import { listStore, readJson, type Listing } from './listing.js';
import { planRemovals, type Freed } from './plan.js';
import { childrenOf, Reach, readLayer } from './reach.js';
import { Roots } from './roots.js';
import { selectUnits, type PruneSpec } from './select.js';
import { Sweeper } from './sweeper.js';
import { TreeSizes } from './tree-sizes.js';
import { cacheUnits, type CacheUnit } from './units.js';

export interface CollectOptions extends Cancel {
  /** Removes directories that may belong to other users, as far as it can. */
  readonly removeTrees: (dirs: readonly string[]) => Promise<void>;
}

export interface Collected {
  /** What was removed for good. */
  readonly units: readonly CacheUnit[];
  /** Bytes on the disk, leftovers of killed jobs among them. */
  readonly reclaimed: number;
}

/** A store, looked at once. */
export interface StoreView {
  readonly listing: Listing;
  readonly units: readonly CacheUnit[];
  readonly held: Reach;
  readonly images: Reach;
  readonly sizes: TreeSizes;
}

/** What is in a store beside its images, and who needs it. Images that have lost their name count as cache. */
export async function viewStore(store: Store, roots = new Roots(store.paths)): Promise<StoreView> {
  const { paths } = store;
  await store.images.list(); // throws, before anything else does, where nothing says what images there are
  const listing = listStore(paths);
  const [held, images] = [new Reach(paths, listing), new Reach(paths, listing)];
  for (const { kind, name } of roots.news().held) held.add(kind, name);
  for (const { name, descriptor } of await store.images.list()) {
    if (name !== undefined) images.addBlob(descriptor.digest);
  }
  const sizes = new TreeSizes(paths);
  const newSince = roots.oldestJob(store.leaseId);
  return { listing, units: cacheUnits({ paths, listing, held, images, sizes, newSince }), held, images, sizes };
}

/**
 * Removes what `spec` chooses, and what leaked. Jobs may run beside it: what they hold stays, and none waits for more than
 * milliseconds. To be called under the lock `prune`. It can be killed at any moment; the next call goes on from there.
 */
export async function collectGarbage(store: Store, spec: PruneSpec, options: CollectOptions): Promise<Collected> {
  const { paths } = store;
  await sweepDeadLeases(paths, (work) => options.removeTrees([work]));
  writeFileSync(paths.heir, '');
  try {
    return await collect(store, spec, options);
  } finally {
    rmSync(paths.heir, { force: true });
  }
}

async function collect(store: Store, spec: PruneSpec, options: CollectOptions): Promise<Collected> {
  const { paths } = store;
  const { signal, removeTrees } = options;
  const roots = new Roots(paths);
  const { listing, units, held, images, sizes } = await viewStore(store, roots);
  const gone = selectUnits(units, spec, freeBytes(paths.root));
  const reach = new Reach(paths, listing);
  for (const kept of [held, images]) reach.addAll(kept);
  for (const unit of units) if (!gone.has(unit)) keep(unit, reach);
  keepBases(store, listing, reach, spec.all ? undefined : images.blobs);
  signal.throwIfAborted();
  await dropNameless(store, roots, reach, options);
  const bytes = new Map(units.map((unit) => [unit.id, unit.size]));
  const isAll = spec.all && !spec.matches && gone.size === units.filter(({ inUse }) => !inUse).length;
  const removals = planRemovals(paths, listing, reach, isAll, (name) => bytes.get(name) ?? sizes.of(name));
  const removed = await new Sweeper(paths, roots, reach, paths.temp(store.leaseId)).sweep(
    removals,
    removeTrees,
    options,
  );
  const leaked = await removeLeaks(store, removeTrees);
  const names = new Set(removed.flatMap(({ unit }) => unit ?? []));
  return {
    units: [...gone].filter(({ id }) => names.has(id)),
    reclaimed: leaked + removed.reduce((sum, one: Freed) => sum + one.size, 0),
  };
}

export function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}

function keep({ type, id }: CacheUnit, reach: Reach): void {
  switch (type) {
    case 'regular':
      return reach.add('ref', id);
    case 'exec.cachemount':
      return reach.add('mount', id);
    case 'source.git.checkout':
      return reach.add('git', id);
    case 'internal':
      return reach.add('blob', id);
  }
}

/**
 * What a name stood for at a registry is kept with the documents that say so, where the layers are kept anyway: a build that
 * stands on it then needs no registry. `imageBlobs`: undefined where images alone are no reason.
 */
function keepBases(
  { paths }: Store,
  listing: Listing,
  reach: Reach,
  imageBlobs: ReadonlySet<Digest> | undefined,
): void {
  const kept = new Set(
    [...reach.refs].flatMap((id) => {
      return readLayer(paths, id)?.blob.digest ?? [];
    }),
  );
  const isKept = (digest: Digest): boolean => kept.has(digest) || (imageBlobs?.has(digest) ?? false);
  for (const name of listing.facts.keys()) {
    if (!name.startsWith('tag-')) continue;
    const fact = toDigestFact(readJson(path.join(paths.facts, name)));
    if (!fact) continue;
    const children = childrenOf(paths, fact.digest);
    const manifests = [fact.digest, ...children].map((one) => ({ digest: one, blobs: childrenOf(paths, one) }));
    // The config comes first, and is no layer.
    if (manifests.some(({ blobs }) => blobs.length > 1 && blobs.slice(1).every(isKept))) reach.addBlob(fact.digest);
  }
}

/** Images without a name that nothing keeps lose their entry before they lose their blobs. */
async function dropNameless(store: Store, roots: Roots, reach: Reach, { signal }: Cancel): Promise<void> {
  const isDropped = ({ name, descriptor }: NamedImage): boolean =>
    name === undefined && !reach.blobs.has(descriptor.digest);
  if (!(await store.images.list()).some(isDropped)) return;
  const gate = await lockPath(store.paths.gcLock, 'file', 'exclusive', { signal });
  try {
    for (const { kind, name } of roots.news().held) reach.add(kind, name);
    await store.images.remove(isDropped, { signal });
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    // No room for a list of images: they stay this time, and other things make room for the next.
    for (const one of await store.images.list()) if (isDropped(one)) reach.addBlob(one.descriptor.digest);
  } finally {
    gate.release();
  }
}

/** Gives the bytes that were freed. */
async function removeLeaks(store: Store, removeTrees: CollectOptions['removeTrees']): Promise<number> {
  const { paths } = store;
  await sweepDeadLeases(paths, (work) => removeTrees([work]));
  removePassedLocks(paths);
  const { directories, files } = listLeftovers(paths);
  let bytes = 0;
  for (const one of [...directories, ...files]) bytes += diskUsage(one);
  for (const file of files) rmSync(file, { recursive: true, force: true });
  if (directories.length > 0) await removeTrees(directories);
  for (const one of directories) bytes -= diskUsage(one);
  return bytes;
}
