import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { replaceFile } from '../base/atomic-file.js';
import { BuildError, hasCode } from '../base/errors.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestOf, hexOf, type DiffId } from '../oci/digest.js';
import type { Holding } from './lease-file.js';
import type { StorePaths } from './paths.js';
import { toLayerFact, toRefRecord, toTreeFact } from './stored-json.js';

/**
 * What a ref's trees are written for. They do not mix: overlayfs as root reads `trusted.overlay.*`, in a user
 * namespace `user.overlay.*`; owners are shifted in a user namespace, and lost in one with a single id; fuse-overlayfs
 * has marks of its own; and plain trees hold everything below as well.
 */
export type TreeDialect = 'trusted' | 'user' | 'single' | StackedDialect | `${StackedDialect}-${'user' | 'single'}`;
type StackedDialect = 'fuse' | 'plain';

/** A parent and one change. Immutable; the faces of the change are facts that are added as they become known. */
export interface RefRecord {
  readonly id: string;
  readonly parent?: string;
  /** Milliseconds since 1970, when the change was first made; undefined for layers of a base image. */
  readonly createdAt?: number;
  /** What made the change, for the history of images where no instruction accounts for it. */
  readonly description?: string;
  /** The ref whose faces are this one's as well: it is the same change, on another parent. */
  readonly faces?: string;
}

/** The ref that the faces of a record's change are kept under. */
export function facesOf(record: RefRecord): string {
  return record.faces ?? record.id;
}

/** The layer face: the change as a tar, and the bytes it is stored as. */
export interface LayerFact {
  readonly diffId: DiffId;
  readonly blob: Descriptor;
}

/** The tree face: the change as a directory. */
export interface TreeFact {
  /** Name below `trees/`. */
  readonly tree: string;
  /** The change has device nodes that the process could not make. Only its layer has them. */
  readonly lacksDevices?: boolean;
}

/**
 * Refs on disk: `<id>.json`, and beside it one small file for each face that exists. Every file is written once, by
 * rename; two writers of the same fact write the same, or an equally good, one. Plain trees alone come and go.
 */
export class RefStore {
  readonly #paths: StorePaths;
  readonly #holding: Holding;
  /** What was found, for a job's time: neither changes, and what the job goes by it holds. */
  readonly #records = new Map<string, RefRecord>();
  readonly #layers = new Map<string, LayerFact>();

  constructor(paths: StorePaths, holding: Holding) {
    this.#paths = paths;
    this.#holding = holding;
  }

  /** A name for a new change. */
  newId(): string {
    return `r${randomBytes(10).toString('hex')}`;
  }

  /**
   * The name of a layer of a base image on those below it, the same for every image that has them. It covers the blob as
   * well: what a config says of another image's diffIDs is not known to be true, and must not reach that image.
   */
  layerRefId(parent: string | undefined, { diffId, blob }: LayerFact): string {
    return `c${hexOf(digestOf([parent ?? '', diffId, blob.digest].join(' ')))}`;
  }

  /** Held by this job from before it is there. */
  async save(record: RefRecord): Promise<void> {
    await this.#holding.hold('ref', record.id);
    await this.#write(`${record.id}.json`, record);
  }

  async load(id: string): Promise<RefRecord | undefined> {
    return await found(this.#records, id, async () => toRefRecord(await this.#read(`${id}.json`)));
  }

  /** The stack of refs up to `id`, lowest first. Throws STORE_INVALID when one of them is gone, or stands on itself. */
  async chain(id: string): Promise<readonly RefRecord[]> {
    const chain: RefRecord[] = [];
    const seen = new Set<string>();
    for (let next: string | undefined = id; next !== undefined;) {
      const record: RefRecord | undefined = await this.load(next);
      if (!record || seen.has(next)) {
        throw new BuildError('STORE_INVALID', `the cached result \`${next}\` is gone from the store`, {
          hint: 'build again, which makes it anew',
        });
      }
      chain.push(record);
      seen.add(next);
      next = record.parent;
    }
    return chain.reverse();
  }

  async layer(id: string): Promise<LayerFact | undefined> {
    return await found(this.#layers, id, async () => toLayerFact(await this.#read(`${id}.layer.json`)));
  }

  /** Of a ref that is saved, or is about to be: faces may stand first. */
  async saveLayer(id: string, fact: LayerFact): Promise<void> {
    await this.#holding.hold('ref', id);
    await this.#write(`${id}.layer.json`, fact);
  }

  /** Name of the tree below `trees/`; undefined when there is none in this dialect. */
  async tree(id: string, dialect: TreeDialect): Promise<string | undefined> {
    return (await this.treeFact(id, dialect))?.tree;
  }

  /** The same with what is known of the tree. */
  async treeFact(id: string, dialect: TreeDialect): Promise<TreeFact | undefined> {
    const fact = toTreeFact(await this.#read(`${id}.${dialect}.json`));
    if (!fact) return undefined;
    return statSync(path.join(this.#paths.trees, fact.tree), { throwIfNoEntry: false }) ? fact : undefined;
  }

  async saveTree(id: string, dialect: TreeDialect, tree: string, { lacksDevices = false } = {}): Promise<void> {
    await this.#holding.hold('ref', id);
    const fact: TreeFact = { tree, ...(lacksDevices && { lacksDevices }) };
    await this.#write(`${id}.${dialect}.json`, fact);
  }

  /** The ref has no tree in this dialect any more; whoever says so has the directory for itself. */
  async forgetTree(id: string, dialect: TreeDialect): Promise<void> {
    await rm(path.join(this.#paths.refs, `${id}.${dialect}.json`), { force: true });
  }

  async #read(name: string): Promise<unknown> {
    try {
      return JSON.parse(readFileSync(path.join(this.#paths.refs, name), 'utf8'));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      if (error instanceof SyntaxError) return undefined; // cut short when the power failed: as good as gone
      throw error;
    }
  }

  async #write(name: string, value: unknown): Promise<void> {
    await replaceFile(
      path.join(this.#paths.refs, name),
      JSON.stringify(value),
      this.#paths.temp(this.#holding.leaseId),
    );
  }
}

/** Asks again for what was not there. */
async function found<T>(all: Map<string, T>, id: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
  const known = all.get(id);
  if (known !== undefined) return known;
  const value = await read();
  if (value !== undefined) all.set(id, value);
  return value;
}
