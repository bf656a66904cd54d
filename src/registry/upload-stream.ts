import { BuildError } from '../base/errors.js';
import type { PutOptions } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Endpoint } from './repository-endpoint.js';
import type { BlobUpload } from './types.js';
import { beginUpload } from './upload-begin.js';
import { UploadFault, type UploadSession } from './upload-session.js';

/**
 * Begins a blob of which neither digest nor size is known: one request that goes on as long as bytes come. When it
 * breaks off, further bytes are dropped and `commit` fails with the reason: they are gone, so it is for the caller to
 * put the finished blob.
 */
export async function streamBlob(endpoint: Endpoint, opts: PutOptions): Promise<BlobUpload> {
  const doing = `pushing a layer to \`${endpoint.name}\``;
  return new StreamedUpload(await beginUpload(endpoint, doing, opts), doing, opts);
}

interface Offer {
  readonly chunk: Uint8Array;
  readonly taken: () => void;
}

class StreamedUpload implements BlobUpload {
  readonly #session: UploadSession;
  readonly #doing: string;
  readonly #opts: PutOptions;
  readonly #stop = new AbortController();
  readonly #sent: Promise<void>;
  /** Why the request broke off. */
  #failure: { readonly error: unknown } | undefined;
  /** What writers wait for to be taken, in order. */
  #offers: Offer[] = [];
  #wake: (() => void) | undefined;
  /** There is nothing more to come. */
  #ended = false;
  #state: 'unread' | 'reading' | 'drained' = 'unread';
  #current = 0;

  constructor(session: UploadSession, doing: string, opts: PutOptions) {
    this.#session = session;
    this.#doing = doing;
    this.#opts = opts;
    this.#sent = session
      .patch({ bytes: () => this.#body() }, { signal: AbortSignal.any([opts.signal, this.#stop.signal]) })
      .then(
        () => this.#over(this.#state === 'drained' ? undefined : this.#fault('the registry answered too early')),
        (error: unknown) => this.#over(error),
      );
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#failure && chunk.byteLength > 0) {
      await new Promise<void>((taken) => {
        this.#offers.push({ chunk, taken });
        this.#wake?.();
      });
    }
    this.#opts.signal.throwIfAborted();
  }

  async commit(target: Descriptor): Promise<void> {
    try {
      this.#end();
      await this.#sent;
      if (this.#failure) throw this.#failure.error;
      await this.#session.finish(target.digest, this.#opts);
    } catch (error) {
      await this.#session.cancel();
      throw error instanceof UploadFault ? error.error : error;
    }
  }

  async abandon(): Promise<void> {
    this.#stop.abort(this.#fault('it is given up'));
    await this.#sent;
    await this.#session.cancel();
  }

  /** The request was answered, or broke off: nobody takes any more what is written. */
  #over(error: unknown): void {
    if (error !== undefined) this.#failure = { error };
    for (const { taken } of this.#offers) taken();
    this.#offers = [];
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  #fault(what: string): BuildError {
    return new BuildError('REGISTRY_FAILED', `${this.#doing}: ${what}`);
  }

  async *#body(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#state !== 'unread') throw this.#fault('it would have to be sent again');
    this.#state = 'reading';
    for (;;) {
      const [offer] = this.#offers;
      if (offer !== undefined) {
        yield offer.chunk;
        // Still there, so that its writer does not wait for ever when the request breaks off here.
        this.#offers.shift();
        offer.taken();
        this.#current += offer.chunk.byteLength;
        this.#opts.onProgress?.(this.#current);
      } else if (this.#ended) {
        this.#state = 'drained';
        return;
      } else await new Promise<void>((wake) => (this.#wake = wake));
    }
  }
}
