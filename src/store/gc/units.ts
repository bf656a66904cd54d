import { statSync } from 'node:fs';
import path from 'node:path';
import type { DiffId, Digest } from '../../oci/digest.js';
import type { StorePaths } from '../paths.js';
import { cacheRefs, standsOn, type CacheRef } from './cache-refs.js';
import type { TreeSizes } from './tree-sizes.js';
import { diskUsage } from './disk-usage.js';
import type { Listing } from './listing.js';
import { childrenOf, readLayer, treesOf, type Reach } from './reach.js';

/** As BuildKit names them; `internal`: blobs that no image and no step has. */
export type CacheUnitType = 'regular' | 'exec.cachemount' | 'source.git.checkout' | 'internal';

/** What is removed at once. */
export interface CacheUnit {
  /** Of a ref, name of a cache mount or a repository, digest of a blob. */
  readonly id: string;
  readonly type: CacheUnitType;
  /** Units that this one stands on. They can only go with it. */
  readonly parents: readonly string[];
  readonly description: string;
  /** Bytes on the disk that are gone with it. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number | undefined;
  readonly lastUsedAt: number;
  /** A job that runs now needs it, or may come to need it: it was made or used since that job began. */
  readonly inUse: boolean;
  /** It is a step of an image in the store: its layer stays with the image, the rest can be made anew. */
  readonly shared: boolean;
  /** Its content changes while it is used. */
  readonly mutable: boolean;
}

export interface UnitSources {
  readonly paths: StorePaths;
  readonly listing: Listing;
  /** What live jobs need. */
  readonly held: Reach;
  /** What the images of the store consist of. */
  readonly images: Reach;
  readonly sizes: TreeSizes;
  /** Milliseconds since 1970: when the oldest of the running jobs began. What came since may be what it waits for. */
  readonly newSince: number;
}

/** Everything that is there beside the images. */
export function cacheUnits(sources: UnitSources): readonly CacheUnit[] {
  const { paths, listing, held, images } = sources;
  const refs = cacheRefs(paths, listing, images.blobs);
  const claimed = new Set<Digest | DiffId>();
  const units: readonly CacheUnit[] = [
    ...[...refs].map(([id, ref]) => refUnit(id, ref, claimed, sources)),
    ...listing.mounts
      .filter(isPresent)
      .map((name) => directory(paths.cacheMount(name), `cache-${name}`, held.mounts, 'exec.cachemount', paths)),
    ...listing.git
      .filter(isPresent)
      .map((name) => directory(paths.git(name), `git-${name}`, held.git, 'source.git.checkout', paths)),
    ...[...listing.blobs].flatMap(([digest, { size, mtime }]): readonly CacheUnit[] => {
      if (images.blobs.has(digest) || claimed.has(digest)) return [];
      const own = { id: digest, size, lastUsedAt: mtime, createdAt: mtime, inUse: held.blobs.has(digest) };
      const parents = childrenOf(paths, digest);
      const description = parents.length > 0 ? 'manifest' : 'blob';
      return [{ ...own, type: 'internal', parents, description, shared: false, mutable: false }];
    }),
  ];
  return units.map((unit) => ({ ...unit, inUse: unit.inUse || unit.lastUsedAt >= sources.newSince }));
}

/** Names of what a garbage collection has set aside, to remove it. */
export const GONE = 'gone-';

function isPresent(name: string): boolean {
  return !name.startsWith(GONE) && !name.startsWith('.');
}

function refUnit(
  id: string,
  { record, lastUsed, isBehindImage }: CacheRef,
  claimed: Set<Digest | DiffId>,
  { paths, listing, held, images, sizes }: UnitSources,
): CacheUnit {
  const claim = (name: Digest | DiffId, size: number | undefined): number => {
    if (claimed.has(name)) return 0;
    claimed.add(name);
    return size ?? 0;
  };
  const files = listing.refs.get(id) ?? [];
  const layer = readLayer(paths, id);
  const trees = treesOf(paths, id, files).reduce((sum, tree) => sum + sizes.of(tree), 0);
  const isOwn = layer !== undefined && !images.blobs.has(layer.blob.digest);
  const blob = isOwn ? claim(layer.blob.digest, listing.blobs.get(layer.blob.digest)?.size) : 0;
  const toc = layer ? claim(layer.diffId, listing.tocs.get(layer.diffId)?.size) : 0;
  const createdAt =
    record.createdAt ?? statSync(path.join(paths.refs, `${id}.json`), { throwIfNoEntry: false })?.mtimeMs;
  return {
    id,
    type: 'regular',
    parents: standsOn(record),
    description: record.description ?? 'layer of a base image',
    size: trees + blob + toc,
    createdAt,
    lastUsedAt: lastUsed || (createdAt ?? 0),
    inUse: held.refs.has(id),
    shared: isBehindImage,
    mutable: false,
  };
}

/** A directory whose users take a lock: the time of the lock's file is that of the last use. */
function directory(
  dir: string,
  lock: string,
  held: ReadonlySet<string>,
  type: CacheUnitType,
  paths: StorePaths,
): CacheUnit {
  const made = statSync(dir, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const used = statSync(paths.lock(lock), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return {
    id: path.basename(dir),
    type,
    parents: [],
    description: type === 'exec.cachemount' ? 'cache of RUN --mount=type=cache' : 'commits of a git repository',
    size: diskUsage(dir),
    createdAt: made,
    lastUsedAt: Math.max(made, used),
    inUse: held.has(path.basename(dir)),
    shared: false,
    mutable: true,
  };
}
