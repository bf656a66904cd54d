import { digestOf, hexOf } from '../oci/digest.js';
import { parseDescriptor } from '../oci/documents.js';
import type { Descriptor } from '../oci/descriptor.js';
import { formatReference, type Reference } from '../oci/reference.js';
import { BuildError } from '../base/errors.js';
import type { RecordStore } from './records.js';

/** What names stood for when a registry was last asked, so that an unchanged build asks no more. */
export class TagMemory {
  readonly #records: RecordStore;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  async recall(reference: Reference): Promise<Descriptor | undefined> {
    const fact = await this.#records.fact(factOf(reference));
    if (fact === undefined) return undefined;
    try {
      return parseDescriptor(fact, 'a remembered name');
    } catch (error) {
      if (error instanceof BuildError) return undefined; // damaged: found out again
      throw error;
    }
  }

  async remember(reference: Reference, { mediaType, digest, size }: Descriptor): Promise<void> {
    await this.#records.saveFact(factOf(reference), { name: formatReference(reference), mediaType, digest, size });
  }
}

function factOf(reference: Reference): string {
  return `tag-${hexOf(digestOf(formatReference(reference)))}`;
}
