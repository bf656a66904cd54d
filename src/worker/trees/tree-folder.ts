import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { removeTree } from '../../base/remove-tree.js';
import type { Store } from '../../store/store.js';
import { NAME_BYTES } from './tree-name.js';

/** Where the trees of a store lie. Unfinished ones lie in the job's work folder; a rename makes them trees. */
export class TreeFolder {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  path(tree: string): string {
    return path.join(this.#store.paths.trees, tree);
  }

  /** Makes a finished directory a tree, and gives its name. */
  keep(dir: string): string {
    for (;;) {
      const tree = randomBytes(5).toString('hex').slice(0, NAME_BYTES);
      if (existsSync(this.path(tree))) continue;
      this.#store.holding.holdNew('tree', tree);
      renameSync(dir, this.path(tree));
      return tree;
    }
  }

  /** A folder of this job on the file system of the trees; gone when it is disposed of, or swept with the job. */
  workDir(): { readonly dir: string; [Symbol.dispose](): void } {
    const parent = this.#store.paths.work(this.#store.leaseId);
    const dir = path.join(parent, randomBytes(4).toString('hex'));
    mkdirSync(dir, { recursive: true });
    return { dir, [Symbol.dispose]: () => removeTree(dir) };
  }
}
