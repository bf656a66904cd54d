import type { Cancel } from '../../base/abort.js';
import type { TreeFact } from '../../store/refs.js';
import type { GrownLayer } from '../layer-content.js';
import type { ComingLayer } from '../machine.js';

/** What a layer changes, as a directory. */
export interface UnpackedTree<T> {
  readonly dir: string;
  readonly lacksDevices: boolean;
  /** What reading the layer gave. */
  readonly found: T;
}

/** A tree that is made, and lies in a work folder until its ref is there. */
export interface TreeAhead extends UnpackedTree<GrownLayer> {
  [Symbol.dispose](): void;
}

/** What becomes of one stack of layers. It settles, and never fails: who asks for a tree that it lacks makes that tree. */
type Stack = Promise<ReadonlyMap<string, TreeAhead>>;

export interface TreesAheadOptions {
  /** The tree of a ref that has one. */
  known(ref: string): Promise<TreeFact | undefined>;
  /** A folder for one tree; gone when it is disposed of. */
  workDir(): { readonly dir: string; [Symbol.dispose](): void };
  /** Makes a tree in `workDir`, over trees that are named as `nameOf` names them, while the layer comes. */
  unpack(
    workDir: string,
    layer: ComingLayer['layer'],
    below: readonly string[],
    opts: Cancel,
  ): Promise<UnpackedTree<GrownLayer>>;
  /** The name by which a directory outside of the folder of trees can be stacked. */
  nameOf(dir: string): string;
}

/** Trees that are made ahead of being asked for, by the refs that they will belong to. */
export class TreesAhead {
  readonly #options: TreesAheadOptions;
  readonly #stacks = new Map<string, Stack>();

  constructor(options: TreesAheadOptions) {
    this.#options = options;
  }

  /** Lowest layer first. Fails as `unpack`; then the trees that were done are there for `take`. Layers under way are left alone. */
  async make(layers: readonly ComingLayer[], opts: Cancel): Promise<void> {
    if (layers.some(({ ref }) => this.#stacks.has(ref))) return;
    const made = new Map<string, TreeAhead>();
    const work = this.#make(layers, made, opts);
    const stack = work.then(
      () => made,
      () => made,
    );
    for (const { ref } of layers) this.#stacks.set(ref, stack);
    await work;
  }

  async #make(layers: readonly ComingLayer[], made: Map<string, TreeAhead>, opts: Cancel): Promise<void> {
    const below: string[] = [];
    for (const { ref, layer } of layers) {
      const known = await this.#options.known(ref);
      const tree = known ? undefined : await this.#unpack(layer, below, opts);
      if (tree) made.set(ref, tree);
      // what such a tree shows is told by its layer, which is not there yet
      if ((known ?? tree)?.lacksDevices) return;
      below.push(known ? known.tree : this.#options.nameOf(tree!.dir));
    }
  }

  async #unpack(layer: ComingLayer['layer'], below: readonly string[], opts: Cancel): Promise<TreeAhead> {
    const work = this.#options.workDir();
    try {
      const tree = await this.#options.unpack(work.dir, layer, below, opts);
      return { ...tree, [Symbol.dispose]: () => work[Symbol.dispose]() };
    } catch (error) {
      work[Symbol.dispose]();
      throw error;
    }
  }

  /** The tree of a ref, if it was made; once nothing of its stack is being made any more. It belongs to the caller. */
  async take(ref: string): Promise<TreeAhead | undefined> {
    const made = await this.#stacks.get(ref);
    this.#stacks.delete(ref);
    return made?.get(ref);
  }
}
