import type { Readable } from 'node:stream';
import type { Cancel } from '../base/abort.js';
import type { ContentSink, ContentSource, PutOptions } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';

/** What a request may do: `pull` or `push,pull` of one repository. Decides the token that is asked for. */
export interface Scope {
  readonly repository: string;
  readonly actions: 'pull' | 'push,pull';
}

export interface RegistryRequest extends Cancel {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the registry's `/v2/`, with its query; or an absolute URL that the registry gave as a `Location`. */
  readonly path: string;
  readonly scopes: readonly Scope[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Called anew for every try, so that a body can be sent again after a redirect, a challenge or a cut. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
  /** Bytes of the body, where they are known. */
  readonly contentLength?: number;
  /** Statuses that the caller handles; any other becomes an error that names what was asked and what was answered. */
  readonly expect: readonly number[];
  /** What is being done, for errors: "pushing `host/app:1`". */
  readonly doing: string;
  /** Not to be sent again when it is unknown how far it came, as part of an upload. Default: true. */
  readonly mayRepeat?: boolean;
}

export interface RegistryResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The URL that answered, after redirects; a relative `Location` is relative to it. */
  readonly url: string;
  /** To be read to its end, or discarded. Ends with an error when the connection is cut. */
  readonly body: Readable;
  /** The body whole. Throws REGISTRY_FAILED when it has more bytes than `limit`. */
  bytes(limit: number): Promise<Buffer>;
  discard(): Promise<void>;
}

/**
 * One registry host. Sends requests with its settings (scheme, CA, proxy, client certificate) and credentials; answers
 * challenges; follows redirects without taking credentials to another host; tries again, with backoff and `Retry-After`,
 * what may be tried again. Throws REGISTRY_DENIED for 401 and 403, REGISTRY_FAILED for the rest that `expect` leaves out.
 */
export interface Transport {
  readonly host: string;
  send(request: RegistryRequest): Promise<RegistryResponse>;
  /** Loads what the first request will need, and connects nothing. Throws what that would. */
  prepare(): Promise<void>;
}

/** One repository of one registry: blobs and manifests by digest, names for manifests. */
export interface Repository extends ContentSource, ContentSink {
  /** As in a reference: `docker.io`, `localhost:5000`. */
  readonly registry: string;
  readonly repository: string;
  /** What a tag or digest stands for. Throws IMAGE_NOT_FOUND, and IMAGE_INVALID for what is neither manifest nor index. */
  resolve(target: { readonly tag?: string; readonly digest?: Digest }, opts: Cancel): Promise<Descriptor>;
  /** Gives a manifest or index that is there (or in `source`) a name. */
  tag(target: Descriptor, tag: string, source: ContentSource, opts: Cancel): Promise<void>;
  /** Begins a blob whose digest is not known yet, because it is being compressed while it is sent. */
  upload(opts: PutOptions): Promise<BlobUpload>;
  /** Manifests whose `subject` is `digest`. */
  referrers(digest: Digest, opts: Cancel): Promise<readonly Descriptor[]>;
}

/** A blob that is being sent. Ended by `commit` or `abandon`, whatever happens. */
export interface BlobUpload {
  /** Waits until the bytes are taken. */
  write(chunk: Uint8Array): Promise<void>;
  /** The blob stands in the repository under its digest. */
  commit(target: Descriptor): Promise<void>;
  /** Nothing of it stays. Never throws. */
  abandon(): Promise<void>;
}

export interface RepositoryOptions {
  /** `pull` asks the host's mirrors first; `push` never does. */
  readonly use: 'pull' | 'push';
  /** Plain HTTP and unverified TLS are taken too, whatever the settings say (`registry.insecure=true`). */
  readonly insecure?: boolean;
  /** Repositories of the same registry that may have a blob, to be mounted from there in place of sending it. */
  readonly origins?: (digest: Digest) => Promise<readonly string[]>;
}

/** The registries that a job speaks to: connections, settings, credentials and tokens are shared. */
export interface Registries {
  repository(name: { readonly registry: string; readonly repository: string }, options: RepositoryOptions): Repository;
  /**
   * Loads what the first request to a registry will need: settings, client, and the CAs of the machine, which alone take a
   * tenth of a second. For whoever has time before it; nothing is connected. Throws what the first request would.
   */
  prepare(registry: string, options: Pick<RepositoryOptions, 'insecure'>): Promise<void>;
  close(): Promise<void>;
}
