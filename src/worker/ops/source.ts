import type { Cancel } from '../../base/abort.js';
import { canonicalJson } from '../../base/canonical-json.js';
import { BuildError } from '../../base/errors.js';
import type { JobContext } from '../../job/context.js';
import type { SourceOp } from '../../llb/types.js';
import { digestOf, type Digest } from '../../oci/digest.js';
import type { CacheMap, OpRunner } from '../../solver/types.js';
import type { ComingLayer, RefId } from '../machine.js';
import type { OpResult } from './result.js';

/** Gives the ref of an image's file system, bringing its layers into the store. */
export interface ImageRefs {
  ensure(identifier: string, job: JobContext, options: BringOptions): Promise<RefId>;
}

export interface BringOptions {
  /** There where the image will be needed as a tree: told of layers before the first of them is there. */
  readonly unpackAhead?: ((layers: readonly ComingLayer[], opts: Cancel) => Promise<void>) | undefined;
}

/** What lies on other machines and changes there: files and repositories by URL. */
export interface RemoteSource {
  /** Names what is there now; the same answer for all of a job. May fetch it already. Throws FETCH_FAILED. */
  key(op: SourceOp, job: JobContext): Promise<Digest>;
  /** A ref with just what `key` named. Throws FETCH_FAILED. */
  fetch(op: SourceOp, job: JobContext): Promise<RefId>;
  /** What `key` named, for those who ask where things came from; undefined for what the caller sent. Throws FETCH_FAILED. */
  pin(op: SourceOp, job: JobContext): Promise<Pinned | undefined>;
}

/** A digest of a file, a commit or an annotated tag: `sha256` or `sha1`, for example, and hexadecimal digits. */
export interface Pinned {
  readonly algorithm: string;
  readonly hex: string;
}

/** Where sources come from, by their scheme. */
export interface Sources {
  readonly images: ImageRefs;
  readonly http: RemoteSource;
  readonly git: RemoteSource;
}

export class SourceRunner implements OpRunner<OpResult> {
  readonly #op: SourceOp;
  readonly #sources: Sources;
  readonly #options: BringOptions;

  constructor(op: SourceOp, sources: Sources, options: BringOptions) {
    this.#op = op;
    this.#sources = sources;
    this.#options = options;
  }

  async cacheMap(job: JobContext): Promise<CacheMap<OpResult>> {
    const { identifier, attrs } = this.#op;
    const remote = this.#remote();
    if (remote) return { digest: await this.#remoteKey(remote, job), inputs: [], lifetime: 'cacheable' };
    const lifetime = identifier.startsWith('local://') ? 'transient' : 'cacheable';
    return { digest: digestOf(canonicalJson({ kind: 'source', identifier, attrs })), inputs: [], lifetime };
  }

  async exec(_inputs: readonly OpResult[], job: JobContext): Promise<readonly OpResult[]> {
    const { identifier } = this.#op;
    if (identifier.startsWith('local://')) {
      const name = identifier.slice('local://'.length);
      if (!job.session.contexts.has(name)) throw new Error(`no local context \`${name}\` in the session`);
      return [{ kind: 'context', name }];
    }
    if (identifier.startsWith('docker-image://') || identifier.startsWith('oci-layout://')) {
      return [{ kind: 'ref', ref: await this.#sources.images.ensure(identifier, job, this.#options) }];
    }
    const remote = this.#remote();
    if (remote) return [{ kind: 'ref', ref: await remote.fetch(this.#op, job) }];
    throw new BuildError('UNSUPPORTED', `sources like \`${identifier}\` cannot be fetched by this version`);
  }

  #remote(): RemoteSource | undefined {
    const { identifier } = this.#op;
    if (/^https?:\/\//.test(identifier)) return this.#sources.http;
    return identifier.startsWith('git://') ? this.#sources.git : undefined;
  }

  async #remoteKey(remote: RemoteSource, job: JobContext): Promise<Digest> {
    try {
      return await remote.key(this.#op, job);
    } catch (error) {
      if (!(error instanceof BuildError) || error.code !== 'FETCH_FAILED') throw error;
      const { message, hint, cause } = error;
      throw new BuildError('FETCH_FAILED', `failed to load cache key: ${message}`, {
        ...(hint !== undefined && { hint }),
        ...(cause !== undefined && { cause }),
      });
    }
  }
}
