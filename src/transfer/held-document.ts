import type { ContentSource } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import { verified } from '../oci/verified.js';

/** One document whose bytes are at hand: a source of that document and of nothing else. */
export class HeldDocument implements ContentSource {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  open(target: Descriptor): AsyncIterable<Buffer> {
    return verified(once(this.#bytes), target);
  }

  async readDocument(target: Descriptor): Promise<Buffer> {
    for await (const chunk of this.open(target)) void chunk;
    return this.#bytes;
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield bytes;
}
