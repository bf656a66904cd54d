import { mkdirSync, writeSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../../base/errors.js';
import { LandingFile } from '../../base/linux/landing-file.js';
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

  /** A store that is full, or that may only be read, goes without. */
  #keep(fact: string, text: string): void {
    try {
      mkdirSync(this.#paths.facts, { recursive: true });
      using file = LandingFile.open(fact);
      writeSync(file.fd, text);
      file.land();
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EACCES')) throw error;
    }
  }

  static factOf(tree: string): string {
    return `tree-size-${tree}`;
  }
}
