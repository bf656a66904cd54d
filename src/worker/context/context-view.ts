import { statSync } from 'node:fs';
import path from 'node:path';
import { fromBytes, fromText, toFsPath, type ByteString } from '../../base/bytes.js';
import { BuildError, hasCode } from '../../base/errors.js';
import { fillRow, INO, MTIME, STAT_ROW } from '../../base/stat-row.js';
import type { PackContent, SeenFile } from '../../layer/pack.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import type { Digest } from '../../oci/digest.js';
import type { FilterState, PathFilter } from '../file-op/path-filter.js';
import { baseOf, joinPath, parentOf, shown } from '../file-op/paths.js';
import { entryOf, sizeOf } from './context-entry.js';
import { digestFile, readChunks } from './context-file.js';
import { listDirectory, type DirListing, type Judgement } from './dir-listing.js';
import type { KnownFiles } from './known-files.js';
import type { Spool } from './spool.js';

export interface ContextOptions {
  /** The patterns of .dockerignore. */
  readonly ignore?: PathFilter | undefined;
  /** What an earlier build knew of files; asked for when a digest is needed. */
  readonly known?: (() => KnownFiles | undefined) | undefined;
  /** Keeps the bytes of small files that are read to be hashed; asked for when the first one is. */
  readonly spool?: (() => Spool) | undefined;
  /** Milliseconds since 1970: no file has been looked at before. */
  readonly now?: () => number;
}

/** A directory as it was seen, and what is known of the bytes of its files. */
class SeenDir {
  readonly listing: DirListing;
  /** Taken in this build, by place. */
  readonly digests = new Map<number, Digest>();
  /** By place, where the bytes lie in the spool that were hashed in this build. */
  readonly spooled = new Map<number, number>();
  /** By place, where an earlier build's digests are to be found; undefined until one is needed. */
  places: Int32Array | undefined;

  constructor(listing: DirListing) {
    this.listing = listing;
  }
}

/**
 * A local directory as a build sees it: owners are 0:0, there are no extended attributes, sockets are empty files, what
 * .dockerignore names is not there. Every directory is read once, when it is first asked for, and what was seen then
 * stands: a file that is different or gone when its bytes are read is an error (BuildError CONTEXT_INVALID), also when
 * its bytes are not those that were hashed before, in this build or in an earlier one that found it as it is now.
 */
export class ContextView implements RefView {
  /** Milliseconds since 1970: before anything was looked at. */
  readonly startedAt: number;
  readonly #root: string;
  readonly #ignore: PathFilter | undefined;
  readonly #known: () => KnownFiles | undefined;
  readonly #newSpool: (() => Spool) | undefined;
  #spool: Spool | undefined;
  readonly #dirs = new Map<ByteString, SeenDir | undefined>();
  readonly #states = new Map<ByteString, FilterState>();
  readonly #expected = new Map<ByteString, Digest>();
  readonly #recorders = new Set<Set<ByteString>>();
  #rootRow: Float64Array | undefined;

  /** `dir` may be a symlink; it is the only one that is followed. */
  constructor(dir: string, { ignore, known = () => undefined, spool, now = Date.now }: ContextOptions = {}) {
    this.#root = path.resolve(dir);
    this.#ignore = ignore;
    this.#known = known;
    this.#newSpool = spool;
    this.startedAt = now();
  }

  lstat(at: ByteString): ViewEntry | undefined {
    if (at === '') return entryOf('', this.#rootSeen(), 0, undefined);
    const found = this.#find(at);
    if (!found) return undefined;
    const { listing } = found.dir;
    return entryOf(at, listing.rows, found.index * STAT_ROW, listing.targets.get(found.index));
  }

  list(at: ByteString): readonly ByteString[] | undefined {
    return this.#dir(at)?.listing.names;
  }

  /** What was seen of a directory; undefined for what is none. */
  listing(at: ByteString): DirListing | undefined {
    return this.#dir(at)?.listing;
  }

  async readFile(at: ByteString, maxBytes: number): Promise<Buffer | undefined> {
    const entry = this.lstat(at);
    if (entry?.type !== 'file') return undefined;
    if (entry.size > maxBytes) throw new BuildError('ARCHIVE_INVALID', `\`${shown(at)}\` exceeds ${maxBytes} bytes`);
    const chunks: Buffer[] = [];
    for await (const chunk of this.open(at)) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  }

  async *open(at: ByteString): AsyncIterable<Buffer> {
    yield* readChunks(this.hostPath(at), this.#identity(at), at, this.knownDigest(at));
  }

  contentDigest(at: ByteString): Digest {
    const known = this.knownDigest(at);
    if (known !== undefined) return known;
    const identity = this.#identity(at);
    const { dir, index } = this.#find(at)!;
    const keep =
      this.#newSpool &&
      ((bytes: Buffer): void => {
        const place = (this.#spool ??= this.#newSpool!()).add(bytes);
        if (place !== undefined) dir.spooled.set(index, place);
      });
    const digest = digestFile(this.hostPath(at), identity, at, keep);
    dir.digests.set(index, digest);
    return digest;
  }

  /** Where the bytes of a regular file are to be read. */
  locate(at: ByteString): PackContent {
    const { dir, index } = this.#find(at)!;
    const offset = dir.spooled.get(index);
    if (offset !== undefined && this.#spool!.flush()) {
      return { kind: 'range', file: fromText(this.#spool!.file), offset, isHashed: true };
    }
    const host = this.hostPath(at);
    const file = typeof host === 'string' ? fromText(host) : fromBytes(host);
    // What is known of its bytes, they must hash to.
    const isKnown = this.#expected.has(at) || this.#digestOf(dir, parentOf(at), index) !== undefined;
    return isKnown ? { kind: 'file', file } : { kind: 'file', file, seen: identityIn(dir.listing, index) };
  }

  /** What a file hashed to that was read as `locate` says. */
  note(at: ByteString, digest: Digest): void {
    const { dir, index } = this.#find(at)!;
    dir.digests.set(index, digest);
  }

  knownDigest(at: ByteString): Digest | undefined {
    const expected = this.#expected.get(at);
    if (expected !== undefined) return expected;
    const found = this.#find(at);
    return found && this.#digestOf(found.dir, parentOf(at), found.index);
  }

  /** Every digest that is at hand of the files that were seen so far, by path. */
  knownDigests(): Readonly<Record<ByteString, Digest>> {
    const digests = Object.fromEntries(this.#expected);
    for (const [at, dir] of this.#dirs) {
      for (const [index, name] of dir?.listing.names.entries() ?? []) {
        const digest = this.#digestOf(dir!, at, index);
        if (digest !== undefined) digests[joinPath(at, name)] ??= digest;
      }
    }
    return digests;
  }

  /** Digests taken earlier, by another process: who reads the files finds out whether they still hold. */
  expect(digests: Readonly<Record<ByteString, Digest>>): void {
    for (const [at, digest] of Object.entries(digests)) this.#expected.set(at, digest);
  }

  /** The directories that were read so far, with the digests that were taken in this build. */
  *seen(): Iterable<{ readonly dir: ByteString; readonly listing: DirListing; digests: ReadonlyMap<number, Digest> }> {
    for (const [dir, seen] of this.#dirs) if (seen) yield { dir, listing: seen.listing, digests: seen.digests };
  }

  /** Runs `work`, and tells which directories something was asked of meanwhile, all their parents among them. */
  async recording<T>(
    work: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly touched: ReadonlySet<ByteString> }> {
    const touched = new Set<ByteString>();
    this.#recorders.add(touched);
    try {
      return { value: await work(), touched };
    } finally {
      this.#recorders.delete(touched);
    }
  }

  /** Where a path of the view lies on this machine, as `node:fs` takes it. */
  hostPath(at: ByteString): string | Buffer {
    if (at === '') return this.#root;
    const relative = toFsPath(at);
    if (typeof relative === 'string') return `${this.#root}/${relative}`;
    return Buffer.concat([Buffer.from(`${this.#root}/`), relative]);
  }

  #digestOf(dir: SeenDir, at: ByteString, index: number): Digest | undefined {
    const digest = dir.digests.get(index);
    if (digest !== undefined) return digest;
    const known = this.#known();
    if (!known) return undefined;
    const place = (dir.places ??= known.match(at, dir.listing))[index]!;
    return place < 0 ? undefined : known.digest(place);
  }

  #identity(at: ByteString): SeenFile {
    const found = this.#find(at);
    if (!found || this.lstat(at)?.type !== 'file') {
      throw new BuildError('PATH_NOT_FOUND', `\`${shown(at)}\` is not a regular file`);
    }
    return identityIn(found.dir.listing, found.index);
  }

  #find(at: ByteString): { readonly dir: SeenDir; readonly index: number } | undefined {
    const dir = at === '' ? undefined : this.#dir(parentOf(at));
    const index = dir ? dir.listing.indexOf(baseOf(at)) : -1;
    return index < 0 ? undefined : { dir: dir!, index };
  }

  #rootSeen(): Float64Array {
    if (this.#rootRow === undefined) {
      const row = new Float64Array(STAT_ROW);
      fillRow(
        row,
        0,
        this.#tryRead('', () => statSync(this.#root)),
      );
      this.#rootRow = row;
    }
    return this.#rootRow;
  }

  /** Undefined for what is not a directory of the view. */
  #dir(at: ByteString): SeenDir | undefined {
    let dir = this.#dirs.get(at);
    if (dir === undefined && !this.#dirs.has(at)) {
      dir = this.#isDir(at) ? new SeenDir(this.#readDir(at)) : undefined;
      this.#dirs.set(at, dir);
    }
    if (dir) for (const touched of this.#recorders) touch(at, touched);
    return dir;
  }

  #isDir(at: ByteString): boolean {
    if (at === '') return this.lstat(at)?.type === 'dir';
    const found = this.#find(at);
    return found?.dir.listing.isDir(found.index) ?? false;
  }

  #readDir(at: ByteString): DirListing {
    return listDirectory(this.hostPath(at), {
      judge: this.#ignore && ((name) => this.#judge(this.#ignore!, joinPath(at, name))),
      isNeeded: (name) => this.#hasUnignored(joinPath(at, name)),
      explained: (name, read) => this.#tryRead(name === undefined ? at : joinPath(at, name), read),
    });
  }

  #judge(ignore: PathFilter, at: ByteString): Judgement {
    const state = ignore.judge(at, this.#states.get(parentOf(at)));
    this.#states.set(at, state);
    if (!state.matched) return 'in';
    return state.skippable ? 'out' : 'unless-needed';
  }

  /** An ignored directory is there as the parent of something that is not ignored. */
  #hasUnignored(child: ByteString): boolean {
    const listing = this.#readDir(child);
    this.#dirs.set(child, new SeenDir(listing));
    return listing.names.length > 0;
  }

  #tryRead<T>(at: ByteString, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) {
        throw new BuildError('CONTEXT_INVALID', `\`${shown(at)}\` of the build context changed while it was read`, {
          hint: 'stop what writes to the context, or name the file in .dockerignore',
          cause: error,
        });
      }
      if (!hasCode(error, 'EACCES', 'EPERM', 'EIO', 'ELOOP')) throw error;
      throw new BuildError('CONTEXT_INVALID', `cannot read \`${shown(at)}\` of the build context`, {
        hint: 'name it in .dockerignore if the build does not need it',
        cause: error,
      });
    }
  }
}

function identityIn({ rows }: DirListing, index: number): SeenFile {
  const row = index * STAT_ROW;
  return { ino: rows[row + INO]!, size: sizeOf(rows, row), mtimeMs: rows[row + MTIME]! };
}

function touch(at: ByteString, touched: Set<ByteString>): void {
  for (let one = at; !touched.has(one); one = parentOf(one)) touched.add(one);
}
