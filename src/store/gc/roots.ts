import { existsSync, readFileSync, statSync } from 'node:fs';
import { hasCode } from '../../base/errors.js';
import { parseIndex } from '../../oci/documents.js';
import type { Digest } from '../../oci/digest.js';
import type { HeldKind } from '../lease-file.js';
import { BEGAN, leaseIds } from '../leases.js';
import { lockPresent } from '../lock.js';
import type { StorePaths } from '../paths.js';

export interface Held {
  readonly kind: HeldKind;
  readonly name: string;
}

/**
 * What jobs hold and what images are there, read again and again while things are removed: each time only what is new. To be
 * read with the gate of garbage collection shut (`StorePaths.gcLock`): then nothing is missing that was asked for. From the
 * moment that `StorePaths.heir` is there no hold is lost, however jobs end.
 */
export class Roots {
  readonly #paths: StorePaths;
  /** Bytes of each file that were read. */
  readonly #read = new Map<string, number>();
  /** When the job of each lease began, as it says itself. */
  readonly #began = new Map<string, number>();
  #index = '';

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  /**
   * What became held or an image since the last call. First the leases, then what they leave behind when they end, then the
   * images: a job that ends meanwhile has written the later before it takes away the earlier.
   */
  news(): { readonly held: readonly Held[]; readonly images: readonly Digest[] } {
    const files = leaseIds(this.#paths).map((id) => this.#paths.lease(id));
    return { held: [...files, this.#paths.heir].flatMap((file) => this.#newHolds(file)), images: this.#newImages() };
  }

  /** When the first of the jobs began that `news` has seen and that live, this one left out: milliseconds since 1970. */
  oldestJob(except: string): number {
    const own = this.#paths.lease(except);
    const live = [...this.#began].filter(([file]) => file !== own && !isDead(file));
    return live.reduce((oldest, [, at]) => Math.min(oldest, at), Infinity);
  }

  #newHolds(file: string): readonly Held[] {
    const before = this.#read.get(file) ?? 0;
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= before) return [];
    const text = readPresent(file);
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.#read.set(file, whole.length);
    return whole
      .slice(before)
      .split('\n')
      .flatMap((line) => {
        const space = line.indexOf(' ');
        const [kind, name] = [line.slice(0, space), line.slice(space + 1)];
        if (kind === BEGAN) this.#began.set(file, Number(name));
        return kind === '' || kind === BEGAN ? [] : [{ kind: kind as HeldKind, name }];
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

/** Nobody has the lock of a lease whose job has died. */
function isDead(lease: string): boolean {
  const lock = lockPresent(lease);
  lock?.release();
  return lock !== undefined || !existsSync(lease);
}

/** Digests of the manifests and indexes that the store lists, with names or without. */
export function imagesOf(paths: StorePaths): readonly Digest[] {
  const { manifests } = parseIndex(readFileSync(paths.index), "the store's `index.json`");
  return manifests.map(({ digest }) => digest);
}

function readPresent(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
