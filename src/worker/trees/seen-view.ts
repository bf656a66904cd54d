import { setImmediate } from 'node:timers/promises';
import type { ByteString } from '../../base/bytes.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import type { Digest } from '../../oci/digest.js';

/** What is remembered of one tree at most: a few hundred bytes each. */
const MAX_PATHS = 40_000;
/** A larger file would keep others waiting. Bytes. */
const MAX_FILE = 4 * 1024 * 1024;
/** Milliseconds of work after which others get their turn. */
const TURN_MS = 5;
/** For what is not hashed. */
const NO_DIGEST = '' as Digest;

/** Remembers what was asked of a tree that does not change any more. */
export class SeenView implements RefView {
  readonly entries = new Map<ByteString, ViewEntry>();
  readonly names = new Map<ByteString, readonly ByteString[]>();
  readonly digests = new Map<ByteString, Digest>();
  readonly #tree: RefView;
  readonly #signal: AbortSignal;
  #turnEnds = performance.now() + TURN_MS;

  /** From the abort of the signal on, digests are refused. */
  constructor(tree: RefView, signal: AbortSignal) {
    this.#tree = tree;
    this.#signal = signal;
  }

  lstat(path: ByteString): ViewEntry | undefined {
    const entry = this.#tree.lstat(path);
    // Which names are one file is a matter of the mount.
    if (entry && entry.inode === undefined && !this.#isFull) this.entries.set(path, entry);
    return entry;
  }

  list(path: ByteString): readonly ByteString[] | undefined {
    const names = this.#tree.list(path);
    if (names && !this.#isFull) this.names.set(path, names);
    return names;
  }

  /** Gives others their turn from time to time. What is too much to be remembered is not read: it has no right digest here. */
  contentDigest(path: ByteString): Digest | Promise<Digest> {
    return performance.now() < this.#turnEnds ? this.#digest(path) : this.#nextTurn(path);
  }

  async readFile(path: ByteString, maxBytes: number): Promise<Buffer | undefined> {
    return await this.#tree.readFile(path, maxBytes);
  }

  open(path: ByteString): AsyncIterable<Buffer> {
    return this.#tree.open(path);
  }

  get #isFull(): boolean {
    return this.entries.size >= MAX_PATHS;
  }

  async #nextTurn(path: ByteString): Promise<Digest> {
    await setImmediate();
    this.#signal.throwIfAborted();
    this.#turnEnds = performance.now() + TURN_MS;
    return await this.#digest(path);
  }

  #digest(path: ByteString): Digest | Promise<Digest> {
    if (this.#isFull || (this.entries.get(path)?.size ?? MAX_FILE) >= MAX_FILE) return NO_DIGEST;
    const digest = this.#tree.contentDigest!(path);
    if (typeof digest === 'string') this.digests.set(path, digest);
    return digest;
  }
}
