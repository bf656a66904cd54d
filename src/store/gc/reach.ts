import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { isDigest, type DiffId, type Digest } from '../../oci/digest.js';
import type { HeldKind } from '../lease-file.js';
import type { StorePaths } from '../paths.js';
import type { LayerFact, RefRecord } from '../refs.js';
import { toLayerFact, toRefRecord, toTreeFact } from '../stored-json.js';
import { readJson, type Listing } from './listing.js';

/** What a blob leads to, if it is a document that does. */
interface Links {
  readonly manifests?: readonly { readonly digest: Digest }[];
  readonly layers?: readonly { readonly digest: Digest }[];
  readonly config?: { readonly digest: Digest };
}

/**
 * What can be reached from where one begins: a ref leads to its parent, to the ref whose faces it shares, and to its
 * layer, table of contents and trees; a manifest or an index to what it names. What is gone leads nowhere.
 */
export class Reach {
  readonly refs = new Set<string>();
  readonly blobs = new Set<Digest>();
  readonly trees = new Set<string>();
  readonly tocs = new Set<DiffId>();
  readonly mounts = new Set<string>();
  readonly git = new Set<string>();
  readonly #paths: StorePaths;
  readonly #listing: Pick<Listing, 'refs'>;

  /** `listing` says what trees a ref has; those that came later are not asked for. */
  constructor(paths: StorePaths, listing: Pick<Listing, 'refs'>) {
    this.#paths = paths;
    this.#listing = listing;
  }

  add(kind: HeldKind, name: string): void {
    switch (kind) {
      case 'ref':
        return this.addRef(name);
      case 'blob':
        return this.addBlob(name as Digest);
      case 'tree':
        return void this.trees.add(name);
      case 'toc':
        return void this.tocs.add(name as DiffId);
      case 'mount':
        return void this.mounts.add(name);
      case 'git':
        return void this.git.add(name);
    }
  }

  addRef(id: string): void {
    const todo = [id];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      if (this.refs.has(next)) continue;
      this.refs.add(next);
      const record = readRef(this.#paths, next);
      if (record?.parent !== undefined) todo.push(record.parent);
      if (record?.faces !== undefined) todo.push(record.faces);
      this.#addFaces(next);
    }
  }

  addBlob(digest: Digest): void {
    if (this.blobs.has(digest)) return;
    this.blobs.add(digest);
    for (const child of childrenOf(this.#paths, digest)) this.addBlob(child);
  }

  /** What another one reaches already. */
  addAll(other: Reach): void {
    for (const [own, others] of this.#sets.map((own, i) => [own, other.#sets[i]!] as const)) {
      for (const one of others) own.add(one);
    }
  }

  get #sets(): readonly Set<string>[] {
    return [this.refs, this.blobs, this.trees, this.tocs, this.mounts, this.git] as readonly Set<string>[];
  }

  #addFaces(id: string): void {
    const layer = readLayer(this.#paths, id);
    if (layer) {
      this.addBlob(layer.blob.digest);
      this.tocs.add(layer.diffId);
    }
    for (const tree of treesOf(this.#paths, id, this.#listing.refs.get(id) ?? [])) this.trees.add(tree);
  }
}

export function readRef(paths: StorePaths, id: string): RefRecord | undefined {
  return toRefRecord(readJson(path.join(paths.refs, `${id}.json`)));
}

export function readLayer(paths: StorePaths, id: string): LayerFact | undefined {
  return toLayerFact(readJson(path.join(paths.refs, `${id}.layer.json`)));
}

/** Names of the trees of a ref, in all dialects; `files`: those of the ref. */
export function treesOf(paths: StorePaths, id: string, files: readonly string[]): readonly string[] {
  const faces = files.filter((name) => name !== `${id}.json` && name !== `${id}.layer.json`);
  return faces.flatMap((name) => {
    return toTreeFact(readJson(path.join(paths.refs, name)))?.tree ?? [];
  });
}

/** The blobs that a document names; none for what is no manifest and no index. */
export function childrenOf(paths: StorePaths, digest: Digest): readonly Digest[] {
  const links = readLinks(paths.blob(digest));
  const named = [...(links.manifests ?? []), ...(links.config ? [links.config] : []), ...(links.layers ?? [])];
  return named.flatMap((one) => (typeof one?.digest === 'string' && isDigest(one.digest) ? [one.digest] : []));
}

function readLinks(file: string): Links {
  try {
    const { size } = statSync(file);
    if (size > limits.documentBytes || !beginsAsObject(file)) return {};
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const { manifests, layers, config } = value as Record<keyof Links, unknown>;
    return {
      ...(Array.isArray(manifests) && { manifests }),
      ...(Array.isArray(layers) && { layers }),
      ...(Array.isArray(layers) &&
        typeof config === 'object' &&
        config !== null && { config: config as { digest: Digest } }),
    };
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return {};
    throw error;
  }
}

/** So that layers are not read, of which most are large. */
function beginsAsObject(file: string): boolean {
  const fd = openSync(file, 'r');
  try {
    const first = Buffer.alloc(1);
    return readSync(fd, first, 0, 1, 0) === 1 && first[0] === 0x7b;
  } finally {
    closeSync(fd);
  }
}
