import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { fromText } from '../../base/bytes.js';
import { canonicalJson } from '../../base/canonical-json.js';
import { BuildError } from '../../base/errors.js';
import type { JobContext } from '../../job/context.js';
import type { Entry } from '../../layer/entry.js';
import type { SourceOp } from '../../llb/types.js';
import { digestOf, hexOf, type Digest } from '../../oci/digest.js';
import { download, type Downloaded, type Validators } from '../../remote/download.js';
import { parseHttpTime } from '../../remote/http-time.js';
import { redact } from '../../remote/redact.js';
import { readChunks } from '../../store/blobs.js';
import type { Store } from '../../store/store.js';
import type { LayerContent } from '../layer-content.js';
import { writeLayer } from '../layer-writer.js';
import type { Pinned, RemoteSource } from '../ops/source.js';
import { httpAuthorization } from './credentials.js';
import { TransferReport } from '../../job/transfer-report.js';

/** A file that a URL gives. */
interface Seen {
  readonly digest: Digest;
  readonly lastModified?: string;
  /** Where it was downloaded to; absent when the server said that it is what it was in an earlier job. */
  readonly file?: string;
}

/** What is remembered of a URL from job to job. */
interface Remembered extends Validators {
  readonly digest: Digest;
}

const USER_AGENT = 'slipway';
/** A date says that a file is the same only if the file had been left alone for a while when it was seen. */
const SETTLED_MS = 60_000;

/**
 * Files by URL: each becomes a file system with that one file, of mode 0600 and with the time that the server gives.
 * Asked for once in a job; from job to job the server is asked whether the file is still the same.
 */
export class HttpFiles implements RemoteSource {
  readonly #store: Store;
  readonly #layers: LayerContent;
  readonly #uploads: ReadonlyMap<string, string>;
  readonly #seen = new Map<string, Promise<Seen>>();

  /** `uploads`: URLs that stand for files of this machine. */
  constructor(store: Store, layers: LayerContent, uploads: ReadonlyMap<string, string> = new Map()) {
    this.#store = store;
    this.#layers = layers;
    this.#uploads = uploads;
  }

  /** With a checksum nothing is asked of the server: it names the content. */
  async key(op: SourceOp, job: JobContext): Promise<Digest> {
    const checksum = op.attrs['http.checksum'];
    const { digest, lastModified } =
      checksum === undefined ? await this.#see(op, job) : { digest: checksum, lastModified: undefined };
    return digestOf(canonicalJson({ kind: 'http', ...fileOf(op), digest, lastModified }));
  }

  async pin(op: SourceOp, job: JobContext): Promise<Pinned | undefined> {
    if (this.#uploads.has(op.identifier)) return undefined;
    const digest = op.attrs['http.checksum'] ?? (await this.#see(op, job)).digest;
    const [algorithm = '', hex = ''] = digest.split(':');
    return { algorithm, hex };
  }

  async fetch(op: SourceOp, job: JobContext): Promise<string> {
    const { file, lastModified } = await this.#bring(op, job);
    const { name, ...meta } = fileOf(op);
    const mtime = (lastModified && parseHttpTime(lastModified)) || 0;
    const { size } = await stat(file);
    const entry: Entry = { path: fromText(name), type: 'file', ...meta, size, mtime };
    const { refs } = this.#store;
    const id = refs.newId();
    const content = { kind: 'file', file: fromText(file) } as const;
    await refs.saveLayer(id, await writeLayer([{ entry, content }], this.#store, this.#layers));
    await refs.save({ id, createdAt: job.now(), description: redact(op.identifier) });
    return id;
  }

  /** The bytes on this machine, of which `key` spoke. */
  async #bring(op: SourceOp, job: JobContext): Promise<Seen & { readonly file: string }> {
    const checksum = op.attrs['http.checksum'];
    if (checksum !== undefined) return await this.#download(op, job, { checksum });
    const seen = await this.#see(op, job);
    if (seen.file !== undefined) return { ...seen, file: seen.file };
    // The server says that the file has not changed, but what was made of it is gone.
    const again = await this.#download(op, job, {});
    if (again.digest === seen.digest)
      return { ...again, ...(seen.lastModified && { lastModified: seen.lastModified }) };
    throw new BuildError('FETCH_FAILED', `digest mismatch ${again.digest}: ${seen.digest}`, {
      hint: 'the file changed while it was fetched; build again',
    });
  }

  #see(op: SourceOp, job: JobContext): Promise<Seen> {
    const key = canonicalJson([op.identifier, { ...fileOf(op) }]);
    let seen = this.#seen.get(key);
    if (!seen) this.#seen.set(key, (seen = this.#look(op, `http-${hexOf(digestOf(key))}`, job)));
    return seen;
  }

  async #look(op: SourceOp, fact: string, job: JobContext): Promise<Seen> {
    const { records } = this.#store;
    const known = (await records.fact(fact)) as Remembered | undefined;
    const got = await this.#get(op, job, { ...(known && { known }) });
    if (got.kind === 'same') return known!;
    const { digest, validators, file } = got;
    const { etag, lastModified } = validators;
    const isSettled = lastModified !== undefined && job.now() - parseHttpTime(lastModified)! * 1000 > SETTLED_MS;
    if (etag !== undefined || isSettled) await records.saveFact(fact, { digest, ...validators } satisfies Remembered);
    return { digest, file, ...(lastModified !== undefined && { lastModified }) };
  }

  async #download(
    op: SourceOp,
    job: JobContext,
    options: { readonly checksum?: string },
  ): Promise<Seen & { readonly file: string }> {
    const got = await this.#get(op, job, options);
    if (got.kind === 'same') throw new Error('a server answered what it was not asked');
    const { lastModified } = got.validators;
    return { digest: got.digest, file: got.file, ...(lastModified !== undefined && { lastModified }) };
  }

  async #get(
    op: SourceOp,
    job: JobContext,
    options: { readonly checksum?: string; readonly known?: Validators },
  ): Promise<Downloaded & { readonly file: string }> {
    const url = op.identifier;
    const uploaded = this.#uploads.get(url);
    if (uploaded !== undefined) return await this.#uploaded(uploaded, job);
    const file = await this.#store.blobs.tempPath();
    const report = new TransferReport(redact(url), job);
    const authorization = await httpAuthorization(url, job.session);
    try {
      const got = await download(url, file, {
        ...options,
        signal: job.signal,
        userAgent: USER_AGENT,
        onProgress: report.update,
        ...(authorization !== undefined && { authorization }),
      });
      return { ...got, file };
    } finally {
      report.end();
    }
  }

  async #uploaded(file: string, { signal }: JobContext): Promise<Downloaded & { readonly file: string }> {
    const { size } = await stat(file);
    const hash = createHash('sha256');
    for await (const chunk of readChunks(file, { signal })) hash.update(chunk);
    const digest = `sha256:${hash.digest('hex')}` as Digest;
    return { kind: 'fetched', file, size, digest, validators: {} };
  }
}

function fileOf({ attrs }: SourceOp): Pick<Entry, 'mode' | 'uid' | 'gid'> & { readonly name: string } {
  const number = (name: string, otherwise: number): number => Number(attrs[name] ?? otherwise);
  return {
    name: safeName(attrs['http.filename'] ?? ''),
    mode: Number.parseInt(attrs['http.perm'] ?? '0600', 8),
    uid: number('http.uid', 0),
    gid: number('http.gid', 0),
  };
}

/** A name that stays in its directory and on its line. */
function safeName(text: string): string {
  const name = text.slice(text.lastIndexOf('/') + 1).trim();
  return name === '' || name === '.' || name === '..' || /\p{Cc}/u.test(name) ? 'download' : name;
}
