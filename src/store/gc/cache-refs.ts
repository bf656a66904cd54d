import path from 'node:path';
import { hexOf, type Digest } from '../../oci/digest.js';
import type { StorePaths } from '../paths.js';
import type { RefRecord } from '../refs.js';
import { toDigestFact } from '../stored-json.js';
import { depthBy } from './depth.js';
import { readJson, type Listing } from './listing.js';
import { readLayer, readRef } from './reach.js';

/** A ref as garbage collection sees it. */
export interface CacheRef {
  readonly record: RefRecord;
  /** How many stand below it; what stands on it has more. */
  readonly depth: number;
  /** Milliseconds since 1970: the last use of it, or of what stands on it. */
  readonly lastUsed: number;
  /** Its change is a layer of an image, and so are all below. */
  readonly isBehindImage: boolean;
}

/**
 * The refs that a build could find: by a cache record, or because they are layers of a base image, whose ids say what they
 * are. `imageBlobs`: of the images of the store.
 */
export function cacheRefs(
  paths: StorePaths,
  listing: Listing,
  imageBlobs: ReadonlySet<Digest>,
): ReadonlyMap<string, CacheRef> {
  const records = new Map<string, RefRecord>();
  for (const id of listing.refs.keys()) {
    const record = readRef(paths, id);
    if (record) records.set(id, record);
  }
  const depths = depthBy((id) => standsOn(records.get(id)));
  const rewritten = rewrittenLayers(paths, listing);
  const behind = new Set<string>();
  for (const [id, record] of [...records].toSorted(([a], [b]) => depths(a) - depths(b))) {
    if (record.parent !== undefined && !behind.has(record.parent)) continue;
    const layer = readLayer(paths, record.faces ?? id);
    const forms = layer ? [layer.blob.digest, ...(rewritten.get(hexOf(layer.diffId)) ?? [])] : [];
    if (forms.some((digest) => imageBlobs.has(digest))) behind.add(id);
  }
  const used = lastUses(listing, records, depths);
  return new Map(
    [...used].flatMap(([id, lastUsed]) => {
      const record = records.get(id);
      return record ? [[id, { record, depth: depths(id), lastUsed, isBehindImage: behind.has(id) }] as const] : [];
    }),
  );
}

/** Blobs of layers whose times were rewritten for an export, by the digits of the original's diffID. */
function rewrittenLayers(paths: StorePaths, listing: Listing): ReadonlyMap<string, readonly Digest[]> {
  const found = new Map<string, Digest[]>();
  for (const name of listing.facts.keys()) {
    const diffId = /^epoch-\d+-([0-9a-f]{64})$/.exec(name)?.[1];
    if (diffId === undefined) continue;
    const fact = readJson(path.join(paths.facts, name)) as { readonly blob?: unknown } | null | undefined;
    const blob = toDigestFact(fact?.blob);
    if (blob) found.set(diffId, [...(found.get(diffId) ?? []), blob.digest]);
  }
  return found;
}

/** Of every ref that can be found, from the highest down. */
function lastUses(
  listing: Listing,
  records: ReadonlyMap<string, RefRecord>,
  depthOf: (id: string) => number,
): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  const use = (id: string, at: number): void => void used.set(id, Math.max(at, used.get(id) ?? 0));
  for (const { record, mtime } of listing.records) {
    if (record && 'results' in record) for (const id of record.results) use(id, mtime);
  }
  for (const id of records.keys()) if (id.startsWith('c')) use(id, 0);
  for (const id of [...records.keys()].toSorted((a, b) => depthOf(b) - depthOf(a))) {
    const at = used.get(id);
    if (at !== undefined) for (const below of standsOn(records.get(id))) use(below, at);
  }
  return used;
}

export function standsOn(record: RefRecord | undefined): readonly string[] {
  return [record?.parent, record?.faces].filter((id) => id !== undefined);
}
