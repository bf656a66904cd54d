import path from 'node:path';
import { hexOf, type Digest, type DiffId } from '../oci/digest.js';

/** Where everything lies below the store's root. The one place that knows the names. */
export class StorePaths {
  constructor(readonly root: string) {}

  get version(): string {
    return path.join(this.root, 'store.json');
  }
  get layout(): string {
    return path.join(this.root, 'oci-layout');
  }
  get index(): string {
    return path.join(this.root, 'index.json');
  }
  get blobs(): string {
    return path.join(this.root, 'blobs', 'sha256');
  }
  blob(digest: Digest): string {
    return path.join(this.blobs, hexOf(digest));
  }
  get tocs(): string {
    return path.join(this.root, 'toc');
  }
  /** Table of contents of a layer. */
  toc(diffId: DiffId): string {
    return path.join(this.tocs, `${hexOf(diffId)}.jsonl`);
  }
  /** Committed trees, one directory each; names are short, because overlay options are limited to a page. */
  get trees(): string {
    return path.join(this.root, 'trees');
  }
  get refs(): string {
    return path.join(this.root, 'refs');
  }
  get records(): string {
    return path.join(this.root, 'records');
  }
  get facts(): string {
    return path.join(this.records, 'facts');
  }
  /** What is known of build contexts, a file each. */
  get contexts(): string {
    return path.join(this.root, 'contexts');
  }
  /** Blobs that had wrong bytes. */
  get damaged(): string {
    return path.join(this.root, 'damaged');
  }
  get leases(): string {
    return path.join(this.root, 'leases');
  }
  /** The file of a lease: locked by its job while it lives. */
  lease(id: string): string {
    return path.join(this.leases, id);
  }
  get locks(): string {
    return path.join(this.root, 'locks');
  }
  lock(name: string): string {
    return path.join(this.locks, name);
  }
  /** Held by who collects garbage. */
  get pruneLock(): string {
    return this.lock('prune');
  }
  /** What jobs held that ended while garbage is collected. */
  get heir(): string {
    return this.lock('heir');
  }
  /** Shared by whoever writes a hold, exclusive for who removes what nobody holds. */
  get gcLock(): string {
    return this.lock('gc');
  }
  /** Unfinished files of the job that holds this lease; swept when it is void. */
  temp(lease: string): string {
    return path.join(this.root, 'tmp', lease);
  }
  /** Unfinished trees of that job; swept by a worker, because their files may belong to other users. */
  work(lease: string): string {
    return path.join(this.root, 'work', lease);
  }
  get gits(): string {
    return path.join(this.root, 'git');
  }
  /** What was fetched of a git remote. */
  git(name: string): string {
    return path.join(this.gits, name);
  }
  get cacheMounts(): string {
    return path.join(this.root, 'mounts');
  }
  /** Contents of `RUN --mount=type=cache`. */
  cacheMount(name: string): string {
    return path.join(this.cacheMounts, name);
  }
}
