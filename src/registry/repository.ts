import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { OnceMap } from '../base/once-map.js';
import type { ContentSource, PutOptions } from '../oci/content.js';
import { isIndexType, isManifestType, type Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { verified, vouchedFor } from '../oci/verified.js';
import { contentPath, download, type DownloadProgress } from './download.js';
import { tooLarge } from './download-document.js';
import { putManifest } from './manifests-push.js';
import { resolveManifest, type ManifestTarget } from './manifests.js';
import { FallbackReferrers, listReferrers } from './referrers.js';
import type { Endpoint } from './repository-endpoint.js';
import type { Mirrors } from './repository-mirrors.js';
import type { Timing } from './retry.js';
import type { BlobUpload, Repository } from './types.js';
import { streamBlob } from './upload-stream.js';
import type { UploadHabits } from './upload-habits.js';
import { uploadBlob } from './upload.js';

/** What all that speak to one repository share. */
export class RepositoryWork {
  readonly resolves = new OnceMap<string, Descriptor>();
  readonly documents = new OnceMap<string, Buffer>();
  readonly checks = new OnceMap<string, boolean>();
  readonly puts = new OnceMap<Digest, void>();
  readonly fallback: FallbackReferrers;
  /** What was asked for last and is not there: whoever puts it then need not ask again. */
  readonly absent = new Set<string>();

  constructor(timing: Timing) {
    this.fallback = new FallbackReferrers(timing);
  }
}

export interface RegistryRepositoryOptions {
  readonly registry: string;
  readonly repository: string;
  /** The registry itself. Called when it is needed first, since settings are read then. */
  readonly endpoint: () => Promise<Endpoint>;
  /** Where to ask before the registry itself. */
  readonly mirrors: () => Promise<Mirrors>;
  readonly origins?: (digest: Digest) => Promise<readonly string[]>;
  readonly work: RepositoryWork;
  readonly habits: UploadHabits;
  readonly timing: Timing;
}

export class RegistryRepository implements Repository {
  readonly registry: string;
  readonly repository: string;
  readonly #options: RegistryRepositoryOptions;

  constructor(options: RegistryRepositoryOptions) {
    this.registry = options.registry;
    this.repository = options.repository;
    this.#options = options;
  }

  async resolve(target: ManifestTarget, { signal }: Cancel): Promise<Descriptor> {
    const { timing, work } = this.#options;
    return await work.resolves.run(target.digest ?? `:${target.tag ?? 'latest'}`, signal, async (shared) =>
      this.#fromFirst({ signal: shared }, (endpoint) => resolveManifest(endpoint, target, { signal: shared, timing })),
    );
  }

  open(target: Descriptor, opts: Cancel): AsyncGenerator<Buffer, void, undefined> {
    return vouchedFor(this.#open(target, opts), target);
  }

  async *#open(target: Descriptor, opts: Cancel): AsyncGenerator<Buffer, void, undefined> {
    const gave = new Set<Endpoint>();
    try {
      yield* verified(this.#pieces(target, gave, opts), target);
    } catch (error) {
      // What was given cannot be taken back, but whoever asks again gets it from elsewhere.
      const mirrors = await this.#options.mirrors();
      if (error instanceof BuildError && error.code === 'BLOB_CORRUPT')
        for (const one of gave) mirrors.failed(one, error);
      throw error;
    }
  }

  async readDocument(target: Descriptor, { signal }: Cancel): Promise<Buffer> {
    if (target.size > limits.documentBytes) throw tooLarge(`pulling \`${this.#name(target.digest)}\``);
    return await this.#options.work.documents.run(contentPath(target), signal, async (shared) =>
      this.#fromFirst({ signal: shared }, (endpoint) => this.#readFrom(endpoint, target, { signal: shared })),
    );
  }

  async has(target: Descriptor, { signal }: Cancel): Promise<boolean> {
    const { checks, absent } = this.#options.work;
    const path = contentPath(target);
    const has = await checks.run(path, signal, (shared) => this.#has(target, { signal: shared }));
    if (has) absent.delete(path);
    else absent.add(path);
    return has;
  }

  async put(target: Descriptor, source: ContentSource, opts: PutOptions): Promise<void> {
    await this.#options.work.puts.run(target.digest, opts.signal, async (signal) => {
      if (isIndexType(target.mediaType) || isManifestType(target.mediaType)) {
        await this.#putManifest(target, source, { signal });
      } else await this.#putBlob(target, source, { ...opts, signal });
    });
    opts.onProgress?.(target.size);
  }

  async tag(target: Descriptor, tag: string, source: ContentSource, { signal }: Cancel): Promise<void> {
    const bytes = await this.#read(target, source, { signal });
    await putManifest(await this.#options.endpoint(), target, bytes, { tag, signal });
  }

  async upload(opts: PutOptions): Promise<BlobUpload> {
    return await streamBlob(await this.#options.endpoint(), opts);
  }

  async referrers(digest: Digest, { signal }: Cancel): Promise<readonly Descriptor[]> {
    const { timing } = this.#options;
    return await listReferrers(await this.#options.endpoint(), digest, { signal, timing });
  }

  /** Asks the mirrors, then the registry itself: the first that can `use` it. */
  async #fromFirst<T>(cancel: Cancel, use: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    const mirrors = await this.#options.mirrors();
    for (const mirror of mirrors.usable()) {
      try {
        return await use(mirror);
      } catch (error) {
        cancel.signal.throwIfAborted();
        mirrors.failed(mirror, error);
      }
    }
    mirrors.requireFallback();
    return await use(await this.#options.endpoint());
  }

  /** The bytes of a blob, not verified; what a mirror breaks off, the next one or the registry goes on with. */
  async *#pieces(target: Descriptor, gave: Set<Endpoint>, { signal }: Cancel): AsyncGenerator<Buffer, void, undefined> {
    const { timing } = this.#options;
    const progress: DownloadProgress = { at: 0 };
    const mirrors = await this.#options.mirrors();
    for (const mirror of mirrors.usable()) {
      const before = progress.at;
      try {
        yield* download(mirror, target, progress, { signal, timing });
        return;
      } catch (error) {
        signal.throwIfAborted();
        mirrors.failed(mirror, error);
      } finally {
        if (progress.at > before) gave.add(mirror);
      }
    }
    mirrors.requireFallback();
    yield* download(await this.#options.endpoint(), target, progress, { signal, timing });
  }

  async #readFrom(endpoint: Endpoint, target: Descriptor, { signal }: Cancel): Promise<Buffer> {
    const { timing } = this.#options;
    const chunks: Buffer[] = [];
    const content = download(endpoint, target, { at: 0 }, { signal, timing });
    for await (const chunk of verified(content, target)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async #has(target: Descriptor, { signal }: Cancel): Promise<boolean> {
    const endpoint = await this.#options.endpoint();
    const path = contentPath(target);
    const response = await endpoint.send({
      method: 'HEAD',
      to: path,
      headers: path.startsWith('manifests/') ? { accept: target.mediaType } : {},
      // Whoever does not answer HEAD is taken not to have it.
      expect: [200, 400, 404, 405, 501],
      doing: `looking for \`${endpoint.reference({ digest: target.digest })}\``,
      signal,
    });
    await response.discard();
    const size = response.headers['content-length'];
    return response.status === 200 && (size === undefined || size === String(target.size));
  }

  /** As `has`, but what was just found missing is not asked for again. */
  async #hasStill(target: Descriptor, cancel: Cancel): Promise<boolean> {
    if (this.#options.work.absent.delete(contentPath(target))) return false;
    return await this.#has(target, cancel);
  }

  async #putBlob(target: Descriptor, source: ContentSource, opts: PutOptions): Promise<void> {
    if (!opts.isNew && (await this.#hasStill(target, opts))) return;
    const { origins, habits, timing } = this.#options;
    const known = (await origins?.(target.digest)) ?? [];
    await uploadBlob(await this.#options.endpoint(), target, source, {
      ...opts,
      origins: known.filter((one) => one !== this.repository),
      habits,
      timing,
      has: () => this.#has(target, opts),
    });
  }

  async #putManifest(target: Descriptor, source: ContentSource, { signal }: Cancel): Promise<void> {
    const { work, endpoint } = this.#options;
    const bytes = await source.readDocument(target, { signal });
    // One that names a subject is put again though it is there: only the answer tells whether the registry lists it.
    if (!work.fallback.concerns(bytes) && (await this.#hasStill(target, { signal }))) return;
    const headers = await putManifest(await endpoint(), target, bytes, { signal });
    if (headers['oci-subject'] === undefined) await work.fallback.enter(await endpoint(), target, bytes, { signal });
  }

  async #read(target: Descriptor, source: ContentSource, cancel: Cancel): Promise<Buffer> {
    try {
      return await source.readDocument(target, cancel);
    } catch (error) {
      if (!(error instanceof BuildError) || error.code !== 'BLOB_NOT_FOUND') throw error;
      return await this.readDocument(target, cancel);
    }
  }

  #name(digest: Digest): string {
    return `${this.registry}/${this.repository}@${digest}`;
  }
}
