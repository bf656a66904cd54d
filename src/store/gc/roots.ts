import { readFileSync, statSync } from 'node:fs';
import { hasCode } from '../../base/errors.js';
import { parseIndex } from '../../oci/documents.js';
import type { Digest } from '../../oci/digest.js';
import type { HeldKind } from '../lease-file.js';
import { leaseIds } from '../leases.js';
import { tryLock } from '../lock.js';
import type { StorePaths } from '../paths.js';

export interface Held {
  readonly kind: HeldKind;
  readonly name: string;
}

/**
 * What live jobs hold and what images are there, read again and again while things are removed: each time only what is new.
 * To be read with the gate of garbage collection shut (`StorePaths.gcLock`): then nothing is missing.
 */
export class Roots {
  readonly #paths: StorePaths;
  /** Bytes of each lease that were read. */
  readonly #read = new Map<string, number>();
  #index = '';

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  /**
   * What became held or an image since the last call. First the leases, then the images: a job that names its image and
   * ends between the two has named it before.
   */
  news(): { readonly held: readonly Held[]; readonly images: readonly Digest[] } {
    return { held: leaseIds(this.#paths).flatMap((id) => this.#newHolds(id)), images: this.#newImages() };
  }

  #newHolds(id: string): readonly Held[] {
    const file = this.#paths.lease(id);
    const before = this.#read.get(id) ?? 0;
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= before || isDead(file)) return [];
    const text = readPresent(file);
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.#read.set(id, whole.length);
    return whole
      .slice(before)
      .split('\n')
      .flatMap((line) => {
        const space = line.indexOf(' ');
        return space < 0 ? [] : [{ kind: line.slice(0, space) as HeldKind, name: line.slice(space + 1) }];
      });
  }

  #newImages(): readonly Digest[] {
    const { ino, mtimeNs, size } = statSync(this.#paths.index, { bigint: true });
    const version = `${ino} ${mtimeNs} ${size}`;
    if (version === this.#index) return [];
    this.#index = version;
    return imagesOf(this.#paths);
  }
}

/** Digests of the manifests and indexes that the store lists, with names or without. */
export function imagesOf(paths: StorePaths): readonly Digest[] {
  const { manifests } = parseIndex(readFileSync(paths.index), "the store's `index.json`");
  return manifests.map(({ digest }) => digest);
}

/** Nobody has the lock of a lease whose job has died. */
function isDead(file: string): boolean {
  try {
    const lock = tryLock(file, 'existing');
    lock?.release();
    return lock !== undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    throw error;
  }
}

function readPresent(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
