import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { hexOf, isDigest, type DiffId, type Digest } from '../../oci/digest.js';
import { contextOf } from '../context-files.js';
import type { StorePaths } from '../paths.js';
import { toDigestFact } from '../stored-json.js';
import { standsOn } from './cache-refs.js';
import { depthBy } from './depth.js';
import { readJson, type Listing, type ListedRecord } from './listing.js';
import { childrenOf, readRef, type Reach } from './reach.js';
import type { Removal } from './sweeper.js';
import { TreeSizes } from './tree-sizes.js';
import { GONE } from './units.js';

/** What a removal frees, for the report. */
export interface Freed extends Removal {
  /** The unit that it belongs to, if any: id of a ref, digest of a blob, name of a mount or a repository. */
  readonly unit?: string;
  readonly size: number;
}

const SCRATCH = 'scratch';

/**
 * Everything of the listing that `reach` has not, in an order in which nothing ever leads to what is gone: records before
 * refs, refs before those below, these before their trees and layers, manifests before layers. `all`: also what costs
 * next to nothing and belongs to no unit, such as what is remembered of URLs. `sizeOf`: of a tree, a cache mount or a
 * repository, in bytes.
 */
export function planRemovals(
  paths: StorePaths,
  listing: Listing,
  reach: Reach,
  all: boolean,
  sizeOf: (directory: string) => number,
): readonly Freed[] {
  const blobs = [...listing.blobs].map(([digest, { size }]) => ({ digest, size, children: childrenOf(paths, digest) }));
  const isIndex = (one: (typeof blobs)[number]): boolean =>
    one.children.some((child) => childrenOf(paths, child).length > 0);
  const rank = (one: (typeof blobs)[number]): number => (one.children.length === 0 ? 2 : isIndex(one) ? 0 : 1);
  return [
    ...records(listing, reach, all),
    ...facts(paths, listing, reach, all),
    ...contexts(paths, listing, all),
    ...refs(paths, listing, reach),
    ...[...listing.tocs].map(([diffId, { size }]): Freed => ({
      path: paths.toc(diffId),
      by: 'unlink',
      size,
      isNeeded: () => reach.tocs.has(diffId),
    })),
    ...directories(paths.trees, listing.trees, reach.trees, sizeOf),
    ...treeSizes(paths, listing, reach),
    ...blobs
      .toSorted((a, b) => rank(a) - rank(b))
      .map(({ digest, size }): Freed => ({
        path: paths.blob(digest),
        by: 'temp',
        unit: digest,
        size,
        isNeeded: () => reach.blobs.has(digest),
      })),
    ...directories(paths.cacheMounts, listing.mounts, reach.mounts, sizeOf),
    ...directories(paths.gits, listing.git, reach.git, sizeOf),
    // Of what is gone, or was never there: who is about to lock one holds what it guards.
    ...listing.locks.flatMap((name): readonly Freed[] => {
      const [, kind, guarded = ''] = /^(cache|git)-(.*)$/.exec(name) ?? [];
      if (kind === undefined) return [];
      const needed = kind === 'cache' ? reach.mounts : reach.git;
      return [{ path: paths.lock(name), by: 'unlink', size: 0, isNeeded: () => needed.has(guarded) }];
    }),
  ];
}

function records(listing: Listing, reach: Reach, all: boolean): readonly Freed[] {
  const results = new Map<Digest, ListedRecord>();
  for (const one of listing.records) if (one.record && 'results' in one.record) results.set(one.key, one);
  const isNeeded = ({ record, file }: ListedRecord): boolean => {
    if (!record) return false;
    if ('alias' in record) {
      const target = results.get(record.alias);
      return target ? isNeeded(target) : existsSync(resultsFile(file, record.alias));
    }
    const refs = record.results.filter((id) => id !== SCRATCH);
    return refs.length === 0 ? !all : refs.every((id) => reach.refs.has(id));
  };
  const isAlias = ({ record }: ListedRecord): boolean => record !== undefined && 'alias' in record;
  return listing.records
    .toSorted((a, b) => Number(isAlias(b)) - Number(isAlias(a)))
    .map((one): Freed => ({
      path: one.file,
      by: 'unlink',
      size: 0,
      // One that was written or used since it was listed may lead elsewhere now.
      isNeeded: () => isNeeded(one) || statSync(one.file, { throwIfNoEntry: false })?.mtimeMs !== one.mtime,
    }));
}

function resultsFile(file: string, key: Digest): string {
  const hex = key.slice('sha256:'.length);
  return path.join(path.dirname(path.dirname(file)), hex.slice(0, 2), `${hex}.results`);
}

/** Facts are about something: they go with it. */
function facts(paths: StorePaths, listing: Listing, reach: Reach, all: boolean): readonly Freed[] {
  const hasLayer = (hex: string): boolean =>
    reach.tocs.has(`sha256:${hex}` as DiffId) || reach.blobs.has(`sha256:${hex}` as Digest);
  const isNeeded = (name: string): boolean => {
    const [, kind = '', rest = ''] = /^([a-z]+)-(?:.*-)?([^-]*)$/.exec(name) ?? [];
    switch (kind) {
      case 'isolation':
        return true; // about the machine, and found out slowly
      case 'origin':
      case 'unpacked':
      case 'build':
      case 'pieces':
        return reach.blobs.has(`sha256:${rest}` as Digest);
      case 'gzip':
      case 'zstd':
      case 'uncompressed':
      case 'epoch':
        return hasLayer(rest);
      case 'stack':
        return layersOfStack(paths, name)?.every((layer) => hasLayer(hexOf(layer))) ?? false;
      case 'tree':
        return reach.trees.has(rest);
      case 'copied':
      case 'tag': {
        const fact = toDigestFact(readJson(path.join(paths.facts, name)));
        return fact !== undefined && reach.blobs.has(fact.digest);
      }
      default:
        return !all;
    }
  };
  return [...listing.facts].map(([name, mtime]): Freed => {
    const file = path.join(paths.facts, name);
    const isSame = (): boolean => statSync(file, { throwIfNoEntry: false })?.mtimeMs === mtime;
    return { path: file, by: 'unlink', size: 0, isNeeded: () => isNeeded(name) || !isSame() };
  });
}

/** Undefined for a damaged fact. */
function layersOfStack(paths: StorePaths, name: string): readonly Digest[] | undefined {
  const { layers } = (readJson(path.join(paths.facts, name)) ?? {}) as { readonly layers?: unknown };
  const isList = Array.isArray(layers) && layers.every((one) => typeof one === 'string' && isDigest(one));
  return isList ? layers : undefined;
}

/** What is known of a build context goes with the directory, or where all goes that can be found out again. */
function contexts(paths: StorePaths, listing: Listing, all: boolean): readonly Freed[] {
  return [...listing.contexts].map(([name, { size, mtime }]): Freed => {
    const file = path.join(paths.contexts, name);
    const isNeeded = (): boolean => {
      const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
      if (written !== mtime) return written !== undefined;
      return !all && existsSync(contextOf(file) ?? '');
    };
    return { path: file, by: 'unlink', size, isNeeded };
  });
}

/** Sizes are noted while it is decided what goes, which is after the facts were listed. */
function treeSizes(paths: StorePaths, listing: Listing, reach: Reach): readonly Freed[] {
  return [...listing.trees]
    .filter((tree) => !listing.facts.has(TreeSizes.factOf(tree)))
    .map((tree): Freed => ({
      path: path.join(paths.facts, TreeSizes.factOf(tree)),
      by: 'unlink',
      size: 0,
      isNeeded: () => reach.trees.has(tree),
    }));
}

/** The record of a ref goes before its faces: without it nothing asks for them. */
function refs(paths: StorePaths, listing: Listing, reach: Reach): readonly Freed[] {
  const depths = depthBy((id) => (listing.refs.has(id) ? standsOn(readRef(paths, id)) : []));
  return [...listing.refs]
    .toSorted(([a], [b]) => depths(b) - depths(a))
    .flatMap(([id, files]) =>
      files
        .toSorted((a, b) => Number(b === `${id}.json`) - Number(a === `${id}.json`))
        .map((name): Freed => ({
          path: path.join(paths.refs, name),
          by: 'unlink',
          unit: id,
          size: 0,
          isNeeded: () => reach.refs.has(id),
        })),
    );
}

function directories(
  dir: string,
  listed: readonly string[],
  needed: ReadonlySet<string>,
  sizeOf: (name: string) => number,
): readonly Freed[] {
  return listed
    .filter((name) => !name.startsWith(GONE))
    .map((name): Freed => ({
      path: path.join(dir, name),
      by: 'aside',
      unit: name,
      size: needed.has(name) ? 0 : sizeOf(name),
      isNeeded: () => needed.has(name),
    }));
}
