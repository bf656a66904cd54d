import { lstatSync } from 'node:fs';
import path from 'node:path';
import { fromText } from '../../base/bytes.js';
import type { Cancel } from '../../base/abort.js';
import { FuseMount } from '../../snapshot/fuse-overlay.js';
import { settleUpper, timesSeen, type SeenTimes } from '../../snapshot/fuse-upper.js';
import { mountActive, mountView, unmountTree } from '../../snapshot/overlay.js';
import { partLinks } from '../../snapshot/part-links.js';
import type { ActiveStack, Stack, Stacking } from './stacking.js';

/** As many as overlayfs takes: each costs every look-up of a name that is not there. */
const MAX_LOWERS = 500;

/**
 * Trees stacked by the program fuse-overlayfs, where overlayfs cannot be mounted. It takes names that are one file of a
 * lower tree for one file also after that has been copied up, and then keeps a change under whichever name it met first. So
 * trees are made without such names, and what they were is known from layers alone.
 */
export class FuseStacking implements Stacking {
  readonly marks = 'fuse';
  readonly partsLinks = true;
  readonly maxLowers = MAX_LOWERS;
  readonly #dir: string;
  readonly #program: string;

  /** `dir`: the folder of the trees. `program`: where fuse-overlayfs is. */
  constructor(dir: string, program: string) {
    this.#dir = dir;
    this.#program = program;
  }

  async view(lowers: readonly string[], target: string, opts: Cancel): Promise<Stack> {
    if (lowers.length === 1) {
      mountView(lowers, target, { dir: this.#dir, userxattr: false }); // needs no program
      return this.#bound(target);
    }
    const mount = await FuseMount.open(this.#program, this.#dir, { lowers, target }, opts);
    return { [Symbol.dispose]: () => mount.drop() };
  }

  async active(
    lowers: readonly string[],
    upper: string,
    work: string,
    target: string,
    opts: Cancel,
  ): Promise<ActiveStack> {
    if (lowers.length === 0) {
      mountActive(lowers, upper, work, target, { dir: this.#dir, userxattr: false });
      const stack = this.#bound(target);
      const finish = (): Promise<void> => Promise.resolve(stack[Symbol.dispose]());
      return { ...stack, check: () => undefined, finish, settle: () => undefined };
    }
    const above = path.join(this.#dir, upper);
    const since = lstatSync(above, { bigint: true }).mtimeNs;
    const mount = await FuseMount.open(this.#program, this.#dir, { lowers, target, changes: { upper, work } }, opts);
    let seen: SeenTimes = new Map();
    return {
      check: () => mount.check(),
      finish: async (cancel) => {
        mount.check();
        seen = timesSeen(fromText(above), fromText(path.join(this.#dir, target)), since, cancel);
        await mount.finish(cancel);
      },
      settle: (lower, cancel) => settleUpper(fromText(above), lower, { ...cancel, seen, since }),
      [Symbol.dispose]: () => mount.drop(),
    };
  }

  prepare(tree: string, opts: Cancel): void {
    partLinks(fromText(tree), opts);
  }

  #bound(target: string): Stack {
    let mounted = true;
    return {
      [Symbol.dispose]: () => {
        if (mounted) unmountTree(path.join(this.#dir, target));
        mounted = false;
      },
    };
  }
}
