import { hexOf } from '../oci/digest.js';
import { withPassingLock } from '../store/lock.js';
import type { Store } from '../store/store.js';
import type { TreeDialect } from '../store/refs.js';
import type { CacheKey, CacheStore } from '../solver/types.js';
import type { OpResult } from './ops/result.js';

const SCRATCH = 'scratch';

/** The solver's cache in the store: a key leads to refs, and a hit counts only while each is whole. */
export class ResultCache implements CacheStore<OpResult> {
  readonly #store: Store;
  readonly #dialect: TreeDialect | undefined;
  readonly #whole = new Map<string, Promise<boolean>>();

  /** `dialect`: of the trees that this job can read, if any. */
  constructor(store: Store, dialect: TreeDialect | undefined) {
    this.#store = store;
    this.#dialect = dialect;
  }

  async alias(name: CacheKey): Promise<CacheKey | undefined> {
    return (await this.#store.records.alias(name)) as CacheKey | undefined;
  }

  async load(key: CacheKey): Promise<readonly OpResult[] | undefined> {
    const ids = await this.#store.records.results(key);
    if (!ids) return undefined;
    const refs = ids.filter((id) => id !== SCRATCH);
    await this.#store.holding.hold('ref', ...refs);
    for (const id of refs) {
      if (!(await this.#isWhole(id))) return undefined;
    }
    this.#store.records.noteUse(key);
    return ids.map((id) => ({ kind: 'ref', ref: id === SCRATCH ? null : id }));
  }

  async alone<T>(key: CacheKey, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return await withPassingLock(this.#store.paths.lock(`step-${hexOf(key)}`), signal, work);
  }

  async save(names: readonly CacheKey[], key: CacheKey, results: readonly OpResult[]): Promise<void> {
    const ids = results.map((result) => {
      if (result.kind !== 'ref') throw new Error('a local directory cannot be a cached result');
      return result.ref ?? SCRATCH;
    });
    // What stands already is not written again: a step that reads a local directory is looked up by content each time.
    const { records } = this.#store;
    if ((await records.results(key))?.join() !== ids.join()) await records.saveResults(key, ids);
    for (const name of names) {
      if (name !== key && (await records.alias(name)) !== key) await records.saveAlias(name, key);
    }
  }

  /** True when the ref and all below it are there, each with at least one face whose bytes are there. */
  #isWhole(id: string): Promise<boolean> {
    let whole = this.#whole.get(id);
    if (!whole) this.#whole.set(id, (whole = this.#check(id)));
    return whole;
  }

  async #check(id: string): Promise<boolean> {
    const { refs, blobs } = this.#store;
    const record = await refs.load(id);
    if (!record) return false;
    if (record.parent !== undefined && !(await this.#isWhole(record.parent))) return false;
    if (record.faces !== undefined) return await this.#isWhole(record.faces);
    const layer = await refs.layer(id);
    if (layer && (await blobs.size(layer.blob.digest)) === layer.blob.size) return true;
    return this.#dialect !== undefined && (await refs.tree(id, this.#dialect)) !== undefined;
  }
}
