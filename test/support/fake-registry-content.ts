import { createHash, randomUUID } from 'node:crypto';
import type { FakeAnswer, SeenRequest } from './fake-registry-faults.js';

export interface StoredManifest {
  readonly type: string;
  readonly bytes: Buffer;
}

interface Upload {
  readonly chunks: Buffer[];
  size: number;
  /** Part of the one URL that is valid now: each answer gives another. */
  state: string;
  lastChunk: number | undefined;
}

export interface ContentOptions {
  /** Whether it keeps lists of referrers. */
  readonly referrers: boolean;
  readonly minChunk?: number | undefined;
}

const MANIFEST_TYPES: readonly string[] = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const MANIFEST_BYTES = 4 * 1024 * 1024;

export const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export const refuse = (status: number, code: string, headers: Record<string, string> = {}): FakeAnswer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(JSON.stringify({ errors: [{ code, message: `the fake says ${code.toLowerCase()}` }] })),
});

/** What one repository of the fake holds, and the requests of the distribution specification on it. */
export class FakeRepository {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, StoredManifest>();
  readonly tags = new Map<string, string>();
  readonly uploads = new Map<string, Upload>();
  /** Digests of blobs that arrived by an upload, each time. */
  readonly uploaded: string[] = [];
  readonly mounted: string[] = [];
  readonly #name: string;
  readonly #options: ContentOptions;

  constructor(name: string, options: ContentOptions) {
    this.#name = name;
    this.#options = options;
  }

  addBlob(bytes: Buffer): string {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  addManifest(type: string, bytes: Buffer, tag?: string): string {
    const digest = digestOf(bytes);
    this.manifests.set(digest, { type, bytes });
    if (tag !== undefined) this.tags.set(tag, digest);
    return digest;
  }

  getBlob(digest: string, headers: SeenRequest['headers']): FakeAnswer {
    const bytes = this.blobs.get(digest);
    if (!bytes) return refuse(404, 'BLOB_UNKNOWN');
    const common = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest };
    const from = /^bytes=(\d+)-$/.exec(headers['range'] ?? '')?.[1];
    if (from === undefined) return { status: 200, headers: common, body: bytes };
    if (Number(from) >= bytes.length) return { status: 416, headers: { 'content-range': `bytes */${bytes.length}` } };
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    return { status: 206, headers: { ...common, 'content-range': range }, body: bytes.subarray(Number(from)) };
  }

  getManifest(reference: string, headers: SeenRequest['headers']): FakeAnswer {
    const digest = this.tags.get(reference) ?? reference;
    const found = this.manifests.get(digest);
    if (!found) return refuse(404, 'MANIFEST_UNKNOWN');
    const accepted = (headers['accept'] ?? '').split(',').map((one) => one.trim());
    if (!accepted.includes(found.type)) return refuse(406, 'MANIFEST_UNKNOWN');
    return {
      status: 200,
      headers: { 'content-type': found.type, 'docker-content-digest': digest },
      body: found.bytes,
    };
  }

  putManifest(reference: string, body: Buffer, headers: SeenRequest['headers']): FakeAnswer {
    const type = headers['content-type'] ?? '';
    const digest = digestOf(body);
    if (headers['content-length'] === undefined) return refuse(411, 'SIZE_INVALID');
    if (body.length > MANIFEST_BYTES) return refuse(413, 'MANIFEST_INVALID');
    if (!MANIFEST_TYPES.includes(type)) return refuse(415, 'MANIFEST_INVALID');
    if (reference.includes(':') && reference !== digest) return refuse(400, 'DIGEST_INVALID');
    const named = namedBy(body);
    if (named === undefined || (named.mediaType ?? type) !== type) return refuse(400, 'MANIFEST_INVALID');
    if (named.blobs.some((one) => !this.blobs.has(one))) return refuse(404, 'MANIFEST_BLOB_UNKNOWN');
    if (named.manifests.some((one) => !this.manifests.has(one))) return refuse(404, 'MANIFEST_BLOB_UNKNOWN');
    this.addManifest(type, Buffer.from(body), reference.includes(':') ? undefined : reference);
    const lists = named.subject !== undefined && this.#options.referrers;
    return {
      status: 201,
      headers: {
        location: `/v2/${this.#name}/manifests/${digest}`,
        'docker-content-digest': digest,
        ...(lists && { 'oci-subject': named.subject! }),
      },
    };
  }

  getReferrers(digest: string): FakeAnswer {
    if (!this.#options.referrers) return refuse(404, 'NOT_FOUND');
    const manifests = [...this.manifests]
      .filter(([, { bytes }]) => namedBy(bytes)?.subject === digest)
      .map(([one, { type, bytes }]) => ({ mediaType: type, digest: one, size: bytes.length }));
    const type = 'application/vnd.oci.image.index.v1+json';
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests }));
    return { status: 200, headers: { 'content-type': type }, body };
  }

  begin(): FakeAnswer {
    const id = randomUUID();
    this.uploads.set(id, { chunks: [], size: 0, state: randomUUID(), lastChunk: undefined });
    const { minChunk } = this.#options;
    return {
      status: 202,
      headers: { ...this.#place(id), ...(minChunk && { 'oci-chunk-min-length': String(minChunk) }) },
    };
  }

  mount(digest: string, from: FakeRepository | undefined): FakeAnswer {
    const bytes = from?.blobs.get(digest);
    if (!bytes) return this.begin();
    this.blobs.set(digest, bytes);
    this.mounted.push(digest);
    return { status: 201, headers: { location: `/v2/${this.#name}/blobs/${digest}`, 'docker-content-digest': digest } };
  }

  /** Whether bytes may come to this upload now; undefined if so. */
  mayTake(id: string, { method, url, headers }: SeenRequest): FakeAnswer | undefined {
    const upload = this.uploads.get(id);
    if (!upload || upload.state !== url.searchParams.get('_state')) return refuse(404, 'BLOB_UPLOAD_UNKNOWN');
    const length = headers['content-length'];
    const hasBody = length !== '0' && (length !== undefined || headers['transfer-encoding'] !== undefined);
    if (hasBody && headers['content-type'] !== 'application/octet-stream') return refuse(415, 'BLOB_UPLOAD_INVALID');
    if (method === 'PUT' && length === undefined) return refuse(411, 'SIZE_INVALID');
    const range = headers['content-range'];
    if (range === undefined) {
      return method === 'PATCH' && upload.size > 0 ? this.#misplaced(id, upload) : undefined;
    }
    const [, first, last] = /^(\d+)-(\d+)$/.exec(range) ?? [];
    if (first === undefined || Number(first) !== upload.size) return this.#misplaced(id, upload);
    const size = Number(last) - Number(first) + 1;
    if (length !== String(size)) return refuse(400, 'SIZE_INVALID');
    const { minChunk = 0 } = this.#options;
    if (upload.lastChunk !== undefined && upload.lastChunk < minChunk) return refuse(400, 'SIZE_INVALID');
    upload.lastChunk = size;
    return undefined;
  }

  take(id: string, bytes: Buffer): void {
    const upload = this.uploads.get(id);
    upload?.chunks.push(bytes);
    if (upload) upload.size += bytes.length;
  }

  taken(id: string): FakeAnswer {
    return { status: 202, headers: this.#place(id) };
  }

  state(id: string): FakeAnswer {
    return this.uploads.has(id) ? { status: 204, headers: this.#place(id) } : refuse(404, 'BLOB_UPLOAD_UNKNOWN');
  }

  finish(id: string, digest: string | null): FakeAnswer {
    const bytes = Buffer.concat(this.uploads.get(id)!.chunks);
    this.uploads.delete(id);
    if (digest !== digestOf(bytes)) return refuse(400, 'DIGEST_INVALID');
    this.blobs.set(digest, bytes);
    this.uploaded.push(digest);
    return { status: 201, headers: { location: `/v2/${this.#name}/blobs/${digest}`, 'docker-content-digest': digest } };
  }

  cancel(id: string): FakeAnswer {
    return this.uploads.delete(id) ? { status: 204 } : refuse(404, 'BLOB_UPLOAD_UNKNOWN');
  }

  #misplaced(id: string, upload: Upload): FakeAnswer {
    void upload;
    return { status: 416, headers: this.#place(id) };
  }

  /** Elsewhere each time, by a path and a query of its own. */
  #place(id: string): Record<string, string> {
    const upload = this.uploads.get(id)!;
    upload.state = randomUUID();
    return {
      location: `/v2/${this.#name}/blobs/uploads/${id}?_state=${upload.state}`,
      range: `0-${Math.max(0, upload.size - 1)}`,
      'docker-upload-uuid': id,
    };
  }
}

interface Named {
  readonly mediaType?: string;
  readonly blobs: readonly string[];
  readonly manifests: readonly string[];
  readonly subject?: string;
}

/** Undefined for what is no manifest. */
function namedBy(bytes: Buffer): Named | undefined {
  try {
    const { mediaType, config, layers, manifests, subject } = JSON.parse(bytes.toString('utf8'));
    const digests = (list: readonly { digest: string }[] = []): string[] => list.map(({ digest }) => digest);
    return {
      mediaType,
      blobs: digests([...(config ? [config] : []), ...(layers ?? [])]),
      manifests: digests(manifests),
      subject: subject?.digest,
    };
  } catch {
    return undefined;
  }
}
