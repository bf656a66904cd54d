import { BuildError } from '../base/errors.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { BlobUpload } from '../registry/types.js';

/**
 * An upload that may fail without a harm, since what it sends is kept and can be sent again. After a failure it takes no
 * more. An abort and what is no failure of the registry are thrown.
 */
export class TriedUpload {
  readonly #upload: BlobUpload;
  readonly #signal: AbortSignal;
  #isOpen = true;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(upload: BlobUpload, signal: AbortSignal) {
    this.#upload = upload;
    this.#signal = signal;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#isOpen) return;
    const writing = this.#try(() => this.#upload.write(chunk));
    this.#writing = writing.catch(() => undefined); // for `end`; whoever writes gets the error
    await writing;
  }

  /** Whether the blob stands there now. */
  async commit(target: Descriptor): Promise<boolean> {
    if (!this.#isOpen) return false;
    this.#isOpen = false; // a commit ends the upload, also when it fails
    return await this.#try(() => this.#upload.commit(target));
  }

  /** Abandons what is not committed, when the last write is over. */
  async end(): Promise<void> {
    await this.#writing;
    await this.#abandon();
  }

  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      await this.#abandon();
      this.#signal.throwIfAborted();
      if (error instanceof BuildError) return false;
      throw error;
    }
  }

  async #abandon(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#upload.abandon();
  }
}
