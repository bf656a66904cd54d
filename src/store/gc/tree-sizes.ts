import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../../base/errors.js';
import type { StorePaths } from '../paths.js';
import { diskUsage } from './disk-usage.js';
import { readJson } from './listing.js';

/** What trees take on the disk. They never change, so each is measured once and the answer kept as a fact. */
export class TreeSizes {
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  /** Bytes. */
  of(tree: string): number {
    const fact = path.join(this.#paths.facts, TreeSizes.factOf(tree));
    const known = readJson(fact) as { readonly size?: unknown } | null | undefined;
    if (typeof known?.size === 'number') return known.size;
    const size = diskUsage(path.join(this.#paths.trees, tree));
    this.#keep(fact, JSON.stringify({ size }));
    return size;
  }

  /** A store that is full, or that may only be read, goes without. Torn it counts as absent: `readJson` takes no part of a file. */
  #keep(fact: string, text: string): void {
    try {
      mkdirSync(this.#paths.facts, { recursive: true });
      writeFileSync(fact, text);
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EACCES')) throw error;
    }
  }

  static factOf(tree: string): string {
    return `tree-size-${tree}`;
  }
}
