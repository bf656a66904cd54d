import type { Readable } from 'node:stream';
import type { WireAnswer } from './connections.js';
import { isOfTheNetwork, RegistryFailure } from './failure.js';
import { discard } from './read-answer.js';
import type { RegistryResponse } from './types.js';

/** See `RegistryResponse`. */
export class TransportResponse implements RegistryResponse {
  readonly status: number;
  readonly headers: RegistryResponse['headers'];
  readonly url: string;
  readonly body: Readable;
  readonly #answer: WireAnswer;
  readonly #explain: (error: unknown) => RegistryFailure;

  /** `explain` makes an error of what the connection throws. */
  constructor(answer: WireAnswer, explain: (error: unknown) => RegistryFailure) {
    this.#answer = answer;
    this.#explain = explain;
    this.status = answer.status;
    this.headers = answer.headers;
    this.url = answer.url.href;
    this.body = answer.body;
  }

  async bytes(limit: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of this.body as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > limit) break;
        chunks.push(chunk);
      }
    } catch (error) {
      throw isOfTheNetwork(error) ? this.#explain(error) : error;
    }
    if (size <= limit) return Buffer.concat(chunks);
    throw new RegistryFailure('REGISTRY_FAILED', `\`${this.#answer.url.host}\` answered with more than ${limit} bytes`);
  }

  async discard(): Promise<void> {
    await discard(this.#answer.body);
  }
}
