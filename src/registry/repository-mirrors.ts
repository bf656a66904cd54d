import { BuildError } from '../base/errors.js';
import type { Endpoint } from './repository-endpoint.js';

/** Failures that say something of one image only, and nothing of the mirror. */
const OF_THE_IMAGE: readonly string[] = ['IMAGE_NOT_FOUND', 'BLOB_NOT_FOUND', 'REGISTRY_DENIED', 'UNSUPPORTED'];

/**
 * The mirrors of one registry, in order. One that cannot be reached, or gives other bytes than it should, is not asked
 * again: each further blob would wait for it in vain.
 */
export class Mirrors {
  readonly #endpoints: readonly Endpoint[];
  readonly #broken: Set<string>;
  readonly #only: boolean;
  #failure: unknown;

  /**
   * `broken` holds the hosts of mirrors that failed; it is shared by the repositories of one job. `only`: the registry
   * itself is not asked.
   */
  constructor(endpoints: readonly Endpoint[], broken: Set<string>, only = false) {
    this.#endpoints = endpoints;
    this.#broken = broken;
    this.#only = only && endpoints.length > 0;
  }

  /** Throws, where only mirrors may be asked and all have been: what the last one said, or that none is left. */
  requireFallback(): void {
    if (!this.#only) return;
    if (this.#failure !== undefined) throw this.#failure;
    const hosts = this.#endpoints.map(({ host }) => `\`${host}\``).join(', ');
    throw new BuildError(
      'REGISTRY_FAILED',
      `the mirrors ${hosts} have failed, and the registry itself is not to be asked`,
      {
        hint: 'mend the mirrors, or let the registry itself be asked',
      },
    );
  }

  *usable(): Generator<Endpoint, void, undefined> {
    for (const one of this.#endpoints) if (!this.#broken.has(one.host)) yield one;
  }

  failed(mirror: Endpoint, error: unknown): void {
    this.#failure = error;
    if (error instanceof BuildError && OF_THE_IMAGE.includes(error.code)) return;
    this.#broken.add(mirror.host);
  }
}
