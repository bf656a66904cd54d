import type { ContentSource, PutOptions } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import { Attempts } from './repository-attempts.js';
import type { Timing } from './retry.js';
import type { Endpoint } from './repository-endpoint.js';
import { beginUpload, mountBlob } from './upload-begin.js';
import type { UploadHabits, UploadMode } from './upload-habits.js';
import { UploadFault, type UploadBody, type UploadSession } from './upload-session.js';
import { UploadSource } from './upload-source.js';

export interface UploadOptions extends PutOptions {
  /** Repositories of the same registry that may have the blob. */
  readonly origins: readonly string[];
  readonly habits: UploadHabits;
  readonly timing: Timing;
  /** Whether the blob is in the repository. */
  readonly has: () => Promise<boolean>;
}

/**
 * Brings a blob that is not there into a repository: by a mount if one of `origins` has it, else by sending it, and
 * again from where the registry has it when that is cut. Leaves no upload open, where the registry lets itself be told.
 * Throws what `source` throws; REGISTRY_FAILED when the registry takes it in no way.
 */
export async function uploadBlob(
  endpoint: Endpoint,
  target: Descriptor,
  source: ContentSource,
  opts: UploadOptions,
): Promise<void> {
  const doing = `pushing \`${endpoint.reference({ digest: target.digest })}\``;
  const begun = await mountBlob(endpoint, target.digest, opts.origins, doing, opts);
  if (begun === 'mounted') return;
  const upload = new Upload(endpoint, target, new UploadSource(target, source, opts), { ...opts, doing });
  await upload.run(begun);
}

class Upload {
  readonly #endpoint: Endpoint;
  readonly #target: Descriptor;
  readonly #source: UploadSource;
  readonly #opts: UploadOptions & { readonly doing: string };
  readonly #attempts: Attempts;
  #session: UploadSession | undefined;
  /** Bytes that the registry has, of those sent in this session. */
  #at = 0;
  /** The most that the registry ever had: only more than that is progress, since an upload may begin anew for ever. */
  #furthest = 0;
  /** Bytes of the request that was sent last. */
  #length = 0;
  /** Whether the request that ends the upload was sent: then it may have been done, whatever is heard of it. */
  #ending = false;

  constructor(
    endpoint: Endpoint,
    target: Descriptor,
    source: UploadSource,
    opts: UploadOptions & { readonly doing: string },
  ) {
    this.#endpoint = endpoint;
    this.#target = target;
    this.#source = source;
    this.#opts = opts;
    this.#attempts = new Attempts(opts.timing);
  }

  async run(begun: UploadSession | undefined): Promise<void> {
    this.#session = begun;
    try {
      while (!(await this.#try()));
      this.#session = undefined;
    } catch (error) {
      throw this.#source.failure?.error ?? error;
    } finally {
      await this.#source.close();
      await this.#session?.cancel();
    }
  }

  /** One try: true when the blob stands in the repository. */
  async #try(): Promise<boolean> {
    this.#session ??= await beginUpload(this.#endpoint, this.#opts.doing, this.#opts);
    const mode = this.#opts.habits.mode(this.#target.size, this.#session.minChunk, this.#at);
    try {
      await this.#send(this.#session, mode);
      return true;
    } catch (error) {
      if (!(error instanceof UploadFault) || this.#source.failure) throw error;
      return await this.#recover(error, mode);
    }
  }

  async #send(session: UploadSession, mode: UploadMode): Promise<void> {
    const { size, digest } = this.#target;
    if (mode.kind === 'put') {
      this.#ending = true;
      return await session.finish(digest, this.#opts, this.#piece(0, size));
    }
    while (this.#at < size) {
      const start = this.#at;
      const length = Math.min(mode.kind === 'chunks' ? mode.bytes : Infinity, size - start);
      // Told where it begins only when that is of use: some registries take it for chunks or not at all.
      const place = mode.kind === 'chunks' || start > 0 ? { start } : {};
      await session.patch(this.#piece(start, length), { ...place, signal: this.#opts.signal });
      this.#reached(start + length);
    }
    this.#ending = true;
    await session.finish(digest, this.#opts);
  }

  #piece(start: number, length: number): UploadBody {
    this.#length = length;
    return { bytes: () => this.#source.bytes(start, length), length };
  }

  /** Makes ready for the next try; true when the blob is there after all; throws when no further one makes sense. */
  async #recover({ kind, error, retryAfter }: UploadFault, mode: UploadMode): Promise<boolean> {
    const { habits } = this.#opts;
    if (kind === 'refused' || kind === 'too-large') {
      if (!habits.refuse(mode, kind, this.#length, this.#session?.minChunk)) throw error;
      await this.#beginAnew();
      return false;
    }
    await this.#attempts.failed(error, this.#opts, retryAfter);
    if (this.#ending && (await this.#opts.has())) return true;
    this.#ending = false;
    if (kind === 'forgotten') {
      await this.#beginAnew();
      return false;
    }
    // A server that cuts large requests off without a word may take small ones.
    if (kind === 'cut' && error.status === undefined && this.#attempts.failures > 1) habits.doubt(this.#length);
    const received = mode.kind === 'put' ? undefined : await this.#session?.received(this.#opts);
    const knows = received !== undefined && received <= this.#target.size;
    if (!knows || (kind === 'misplaced' && received === this.#at)) {
      await this.#beginAnew();
      return false;
    }
    this.#reached(received);
    return false;
  }

  #reached(at: number): void {
    this.#at = at;
    if (at <= this.#furthest) return;
    this.#furthest = at;
    this.#attempts.progressed();
  }

  async #beginAnew(): Promise<void> {
    await this.#session?.cancel();
    this.#session = undefined;
    this.#at = 0;
    this.#ending = false;
  }
}
