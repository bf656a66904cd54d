import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { unmountTree } from '../../snapshot/overlay.js';
import type { TreeFolder } from './tree-folder.js';

/** A tree in a directory where it is used. */
export interface ShownTree {
  readonly root: string;
  /** Takes it away from there; the tree stays. */
  readonly hide: () => void;
  /** The same, and what is to be done then. */
  [Symbol.dispose](): void;
}

/** Mounts a tree by `mount` at a directory of its own. `end` is called last, also when this throws. */
export function mountedTree(mount: (at: string) => void, folder: TreeFolder, end: () => void): ShownTree {
  const work = folder.workDir();
  const root = path.join(work.dir, 'm');
  let isMounted = false;
  const hide = (): void => {
    if (isMounted) unmountTree(root);
    isMounted = false;
  };
  const dispose = (): void => {
    hide();
    work[Symbol.dispose]();
    end();
  };
  try {
    mkdirSync(root);
    mount(root);
    isMounted = true;
    return { root, hide, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}
