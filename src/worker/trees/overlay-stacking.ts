import path from 'node:path';
import { maxLowers, mountActive, mountView, unmountTree, type OverlayOptions } from '../../snapshot/overlay.js';
import { NAME_BYTES } from './tree-name.js';
import type { ActiveStack, Stack, Stacking } from './stacking.js';

/** Trees stacked by the kernel's overlayfs. */
export class OverlayStacking implements Stacking {
  readonly marks: 'overlay-trusted' | 'overlay-user';
  readonly partsLinks = false;
  readonly maxLowers = maxLowers(NAME_BYTES);
  readonly #options: OverlayOptions;

  /** `dir`: the folder of the trees. */
  constructor(dir: string, marks: 'overlay-trusted' | 'overlay-user') {
    this.marks = marks;
    this.#options = { dir, userxattr: marks === 'overlay-user' };
  }

  view(lowers: readonly string[], target: string): Promise<Stack> {
    mountView(lowers, target, this.#options);
    return Promise.resolve(this.#stack(target));
  }

  active(lowers: readonly string[], upper: string, work: string, target: string): Promise<ActiveStack> {
    mountActive(lowers, upper, work, target, { ...this.#options, volatile: true });
    const stack = this.#stack(target);
    return Promise.resolve({
      ...stack,
      check: () => undefined,
      finish: () => Promise.resolve(stack[Symbol.dispose]()),
      settle: () => undefined,
    });
  }

  prepare(): void {}

  #stack(target: string): Stack {
    let mounted = true;
    return {
      [Symbol.dispose]: () => {
        if (mounted) unmountTree(path.join(this.#options.dir, target));
        mounted = false;
      },
    };
  }
}
