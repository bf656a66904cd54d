import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { compareBytes, fromText } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';
import { lockPath, tryLockPath, type PathLock } from '../../base/path-lock.js';
import type { ExecMount } from '../../llb/types.js';
import type { Holding } from '../../store/lease-file.js';
import { noteUse } from '../../store/lock.js';
import type { StorePaths } from '../../store/paths.js';
import { copyTree } from '../../snapshot/copy-tree.js';
import type { TreeParts } from '../local-machine.js';
import type { RefId } from '../machine.js';
import { dialectOf } from '../worker-kind.js';

/** What this needs of `TreeParts`. */
interface CacheParts {
  readonly store: { readonly paths: StorePaths; readonly holding: Pick<Holding, 'hold'> };
  readonly trees: Pick<TreeParts['trees'], 'mount' | 'workDir'>;
  readonly kind: TreeParts['kind'];
}

export type Cache = ExecMount['mount'] & {
  readonly type: 'cache';
  /** What a new cache holds. */
  readonly from: RefId;
};

/**
 * The cache mounts of one RUN: directories of the store that are named by id, by what they start from and by the kind
 * of trees (owners differ between them). `shared` ones are used together, a `locked` one is waited for, a `private` one
 * that is in use gets a sibling. The locks are held until this is disposed of, or the process dies.
 */
export class CacheMounts {
  readonly #parts: CacheParts;
  readonly #locks: PathLock[] = [];
  /** Names of caches as they were locked, maybe of a sibling. Two mounts of one RUN share one, whatever its sharing. */
  readonly #locked = new Map<string, string>();

  constructor(parts: CacheParts) {
    this.#parts = parts;
  }

  /**
   * The directories that are the roots of the caches, in their order. To be called once, with all that the RUN mounts:
   * every RUN takes its locks in the same order, so that no two wait for each other.
   */
  async open(caches: readonly Cache[], opts: Cancel): Promise<readonly string[]> {
    const named = caches.map((cache) => ({ cache, name: this.#nameOf(cache) }));
    for (const { cache, name } of named.toSorted((a, b) => compareBytes(a.name, b.name))) {
      if (!this.#locked.has(name)) this.#locked.set(name, await this.#lock(name, this.#sharingOf(cache), opts));
    }
    const dirs: string[] = [];
    for (const { cache, name } of named) dirs.push(await this.#ensure(this.#locked.get(name)!, cache, opts));
    return dirs;
  }

  [Symbol.dispose](): void {
    for (const lock of this.#locks.splice(0)) lock.release();
    this.#locked.clear();
  }

  #nameOf({ id, from }: Cache): string {
    const key = createHash('sha256')
      .update(JSON.stringify([id, from]))
      .digest('hex')
      .slice(0, 20);
    return `${dialectOf(this.#parts.kind)}-${key}`;
  }

  /** Where a cache is moved into the root, and not mounted, nobody else can have it meanwhile. */
  #sharingOf({ sharing }: Cache): Cache['sharing'] {
    return sharing === 'shared' && this.#parts.kind.rung === 'chroot' ? 'locked' : sharing;
  }

  /** Locks a cache or one of its siblings; gives the name of it. */
  async #lock(name: string, sharing: Cache['sharing'], opts: Cancel): Promise<string> {
    for (let sibling = 0; ;) {
      const one = `${name}-${sibling}`;
      const { paths, holding } = this.#parts.store;
      const file = paths.lock(`cache-${one}`);
      await holding.hold('mount', one);
      const lock =
        sharing === 'locked'
          ? await lockPath(file, 'file', 'exclusive', opts)
          : tryLockPath(file, 'file', sharing === 'shared' ? 'shared' : 'exclusive');
      if (lock?.stillHas(file)) {
        this.#locks.push(lock);
        noteUse(file);
        return one;
      }
      lock?.release(); // else a garbage collection has removed cache and lock meanwhile
      if (!lock) sibling++;
    }
  }

  async #ensure(name: string, { from }: Cache, opts: Cancel): Promise<string> {
    const { store, trees } = this.#parts;
    const dir = store.paths.cacheMount(name);
    if (existsSync(dir)) return dir;
    using work = trees.workDir();
    const made = path.join(work.dir, 'c');
    mkdirSync(made, { mode: 0o755 });
    if (from !== null) {
      using content = await trees.mount(from, opts);
      copyTree(fromText(content.root), fromText(made), opts);
    }
    try {
      renameSync(made, dir);
    } catch (error) {
      if (!hasCode(error, 'EEXIST', 'ENOTEMPTY')) throw error; // else another process was first
    }
    return dir;
  }
}
