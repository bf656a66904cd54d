import { canonicalJson } from '../../base/canonical-json.js';
import type { Vertex } from '../../llb/types.js';
import { digestOf } from '../../oci/digest.js';
import type { CacheMap, OpRunner } from '../../solver/types.js';
import { facesOf, type RefStore } from '../../store/refs.js';
import type { RefId } from '../machine.js';
import type { OpResult } from './result.js';

/**
 * `COPY --link`: the changes of the later inputs laid on the first one, in order. Nothing is copied or packed: a merged
 * ref is a further parent for a change that exists, and shares its faces. A tree that was made on its own hides mode
 * and owner of the directories that it shares with those below, as its layer does.
 */
export class MergeRunner implements OpRunner<OpResult> {
  readonly #vertex: Vertex;
  readonly #refs: RefStore;

  constructor(vertex: Vertex, refs: RefStore) {
    this.#vertex = vertex;
    this.#refs = refs;
  }

  async cacheMap(): Promise<CacheMap<OpResult>> {
    const inputs = this.#vertex.inputs.map(() => ({}));
    return { digest: digestOf(canonicalJson({ kind: 'merge' })), inputs, lifetime: 'cacheable' };
  }

  async exec(inputs: readonly OpResult[]): Promise<readonly OpResult[]> {
    let merged: RefId = null;
    for (const input of inputs) {
      if (input.kind !== 'ref') throw new Error('a local directory cannot be merged');
      merged = merged === null ? input.ref : await this.#lay(input.ref, merged);
    }
    return [{ kind: 'ref', ref: merged }];
  }

  async #lay(upper: RefId, base: string): Promise<string> {
    const chain = upper === null ? [] : await this.#refs.chain(upper);
    let parent = base;
    for (const record of chain) {
      const id = this.#refs.newId();
      await this.#refs.save({ ...record, id, parent, faces: facesOf(record) });
      parent = id;
    }
    return parent;
  }
}
