import { hexOf, type Digest } from '../oci/digest.js';
import type { RecordStore } from './records.js';

/** A repository of a registry, as in a reference. */
export interface Origin {
  readonly registry: string;
  readonly repository: string;
}

/** A blob that is in many repositories needs only some of them remembered: the latest. */
const MOST = 8;

/**
 * Where blobs came from or were sent to, so that a push to the same registry can have them mounted in place of sending
 * them. A hint: the repository may have lost the blob since.
 */
export class Origins {
  readonly #records: RecordStore;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  async remember(digest: Digest, { registry, repository }: Origin): Promise<void> {
    const known = await this.#read(digest);
    const isSame = (one: Origin): boolean => one.registry === registry && one.repository === repository;
    if (known[0] && isSame(known[0])) return;
    const origins = [{ registry, repository }, ...known.filter((one) => !isSame(one))].slice(0, MOST);
    await this.#records.saveFact(nameOf(digest), { origins });
  }

  /** Repositories of `registry` that had the blob, the latest first. */
  async of(digest: Digest, registry: string): Promise<readonly string[]> {
    const known = await this.#read(digest);
    return known.filter((one) => one.registry === registry).map((one) => one.repository);
  }

  /** Whether it came from any registry, or went to one as a blob. */
  async isKnown(digest: Digest): Promise<boolean> {
    return (await this.#read(digest)).length > 0;
  }

  async #read(digest: Digest): Promise<readonly Origin[]> {
    const fact = (await this.#records.fact(nameOf(digest))) as { readonly origins?: readonly Origin[] } | undefined;
    return fact?.origins ?? [];
  }
}

function nameOf(digest: Digest): string {
  return `origin-${hexOf(digest)}`;
}
