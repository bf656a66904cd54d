import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
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
    const known = readJson(fact) as { readonly size?: number } | undefined;
    if (known?.size !== undefined) return known.size;
    const size = diskUsage(path.join(this.#paths.trees, tree));
    mkdirSync(this.#paths.facts, { recursive: true });
    // Torn by a crash it is measured again: `readJson` takes no part of a file.
    writeFileSync(fact, JSON.stringify({ size }));
    return size;
  }

  static factOf(tree: string): string {
    return `tree-size-${tree}`;
  }
}
