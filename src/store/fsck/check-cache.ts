import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Digest } from '../../oci/digest.js';
import { names, readJson, type Listing } from '../gc/listing.js';
import { readLayer, readRef, treesOf } from '../gc/reach.js';
import type { StorePaths } from '../paths.js';
import { toCacheRecord } from '../stored-json.js';
import type { Damage } from './types.js';

const SCRATCH = 'scratch';

/**
 * Whether every cached result is whole: its refs, all below them, and of each a layer or a tree. Refs that no record leads to
 * are no damage: they are what a killed job has left.
 */
export function checkCache(paths: StorePaths, listing: Listing): readonly Damage[] {
  const refs = new RefCheck(paths, listing);
  const damage: Damage[] = [];
  const told = new Map<string, string>();
  for (const { file, record } of listing.records) {
    const before = JSON.stringify(record);
    const isStill = (): boolean => existsSync(file) && JSON.stringify(toCacheRecord(readJson(file))) === before;
    if (!record) {
      const what = `the cache record \`${path.relative(paths.root, file)}\` cannot be read`;
      damage.push({ what, images: [], repair: { kind: 'file', path: file }, isStill });
      continue;
    }
    if ('alias' in record) continue; // one that leads nowhere is a miss, no more
    for (const id of record.results) {
      if (id === SCRATCH) continue;
      const broken = refs.brokenBelow(id);
      if (!broken || told.get(broken.id) !== undefined) continue;
      told.set(broken.id, file);
      damage.push({ what: broken.why, images: [], repair: { kind: 'ref', id: broken.id }, isStill });
    }
  }
  for (const name of listing.facts.keys()) {
    const file = path.join(paths.facts, name);
    if (readJson(file) !== undefined || !existsSync(file)) continue;
    const isStill = (): boolean => existsSync(file) && readJson(file) === undefined;
    damage.push({
      what: `the fact \`${name}\` cannot be read`,
      images: [],
      repair: { kind: 'file', path: file },
      isStill,
    });
  }
  return damage;
}

export interface BrokenRef {
  readonly id: string;
  readonly why: string;
}

/** Finds what is not whole below a ref. */
class RefCheck {
  readonly #paths: StorePaths;
  readonly #listing: Listing;
  readonly #known = new Map<string, BrokenRef | 'whole'>();

  constructor(paths: StorePaths, listing: Listing) {
    this.#paths = paths;
    this.#listing = listing;
  }

  brokenBelow(id: string): BrokenRef | undefined {
    const chain: string[] = [];
    for (let next: string | undefined = id; next !== undefined && !this.#known.has(next);) {
      chain.push(next);
      this.#known.set(next, 'whole'); // so that one which leads to itself ends
      next = readRef(this.#paths, next)?.parent;
    }
    for (const one of chain.toReversed()) this.#known.set(one, this.#check(one) ?? 'whole');
    const found = this.#known.get(id);
    return found === 'whole' ? undefined : found;
  }

  #check(id: string): BrokenRef | undefined {
    const record = readRef(this.#paths, id);
    if (!record) return { id, why: `the step \`${id}\` is gone or cannot be read` };
    const parent = record.parent === undefined ? undefined : this.#known.get(record.parent);
    if (parent !== undefined && parent !== 'whole') return parent;
    return record.faces === undefined ? this.#face(id) : this.brokenBelow(record.faces);
  }

  #face(id: string): BrokenRef | undefined {
    const layer = readLayer(this.#paths, id);
    if (layer) {
      const size = sizeOf(this.#paths, layer.blob.digest);
      if (size === layer.blob.size) return undefined;
      const state = size === undefined ? 'is missing' : `has ${size} bytes and not ${layer.blob.size}`;
      return { id, why: `the layer \`${layer.blob.digest}\` of the step \`${id}\` ${state}` };
    }
    const isThere = (tree: string): boolean => existsSync(path.join(this.#paths.trees, tree));
    if (treesOf(this.#paths, id, this.#listing.refs.get(id) ?? []).some(isThere)) return undefined;
    const files = names(this.#paths.refs).filter((name) => name.startsWith(`${id}.`)); // it may be younger than the listing
    if (treesOf(this.#paths, id, files).some(isThere)) return undefined;
    return { id, why: `the step \`${id}\` has neither a layer nor a tree` };
  }
}

function sizeOf(paths: StorePaths, digest: Digest): number | undefined {
  return statSync(paths.blob(digest), { throwIfNoEntry: false })?.size;
}
