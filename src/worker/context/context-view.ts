import { lstatSync, readdirSync, readlinkSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { compareBytes, fromBytes, toFsPath, type ByteString } from '../../base/bytes.js';
import { BuildError, hasCode } from '../../base/errors.js';
import { isWindows } from '../../base/platform.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import type { Digest } from '../../oci/digest.js';
import type { FilterState, PathFilter } from '../file-op/path-filter.js';
import { baseOf, joinPath, parentOf, shown } from '../file-op/paths.js';
import { entryOf } from './context-entry.js';
import { digestFile, readChunks, type FileIdentity } from './context-file.js';

/** What was seen of a file when its directory was read. */
interface Seen {
  readonly entry: ViewEntry;
  readonly identity: FileIdentity;
}

interface SeenDir {
  readonly names: readonly ByteString[];
  readonly seen: ReadonlyMap<ByteString, Seen>;
}

export interface ContextOptions {
  /** The patterns of .dockerignore. */
  readonly ignore?: PathFilter | undefined;
}

/**
 * A local directory as a build sees it: owners are 0:0, there are no extended attributes, sockets are empty files, what
 * .dockerignore names is not there. Every directory is read once, when it is first asked for, and what was seen then
 * stands: a file that is different or gone when its bytes are read is an error (BuildError CONTEXT_INVALID), also when
 * its bytes are not those that were hashed before.
 */
export class ContextView implements RefView {
  readonly #root: string;
  readonly #ignore: PathFilter | undefined;
  readonly #dirs = new Map<ByteString, SeenDir | undefined>();
  readonly #states = new Map<ByteString, FilterState>();
  readonly #digests = new Map<ByteString, Digest>();
  #rootSeen: Seen | undefined;

  /** `dir` may be a symlink; it is the only one that is followed. */
  constructor(dir: string, options: ContextOptions = {}) {
    this.#root = path.resolve(dir);
    this.#ignore = options.ignore;
  }

  lstat(at: ByteString): ViewEntry | undefined {
    return this.#see(at)?.entry;
  }

  list(at: ByteString): readonly ByteString[] | undefined {
    return this.#see(at)?.entry.type === 'dir' ? this.#dir(at)?.names : undefined;
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
    yield* readChunks(this.hostPath(at), this.#file(at).identity, at, this.#digests.get(at));
  }

  contentDigest(at: ByteString): Digest {
    let digest = this.#digests.get(at);
    if (digest === undefined) {
      digest = digestFile(this.hostPath(at), this.#file(at).identity, at);
      this.#digests.set(at, digest);
    }
    return digest;
  }

  knownDigest(at: ByteString): Digest | undefined {
    return this.#digests.get(at);
  }

  /** Every digest that was taken so far, by path. */
  knownDigests(): Readonly<Record<ByteString, Digest>> {
    return Object.fromEntries(this.#digests);
  }

  /** Digests taken earlier, by another process: who reads the files finds out whether they still hold. */
  expect(digests: Readonly<Record<ByteString, Digest>>): void {
    for (const [at, digest] of Object.entries(digests)) this.#digests.set(at, digest);
  }

  /** Where a path of the view lies on this machine, as `node:fs` takes it. */
  hostPath(at: ByteString): string | Buffer {
    if (at === '') return this.#root;
    const relative = toFsPath(at);
    if (typeof relative === 'string') return `${this.#root}/${relative}`;
    return Buffer.concat([Buffer.from(`${this.#root}/`), relative]);
  }

  #file(at: ByteString): Seen {
    const seen = this.#see(at);
    if (seen?.entry.type !== 'file') throw new BuildError('PATH_NOT_FOUND', `\`${shown(at)}\` is not a regular file`);
    return seen;
  }

  #see(at: ByteString): Seen | undefined {
    if (at !== '') return this.#dir(parentOf(at))?.seen.get(baseOf(at));
    if (this.#rootSeen === undefined) {
      const stats = this.#tryRead(at, () => statSync(this.#root));
      this.#rootSeen = { entry: entryOf(at, stats, undefined), identity: identityOf(stats) };
    }
    return this.#rootSeen;
  }

  /** Undefined for what is not a directory of the view. */
  #dir(at: ByteString): SeenDir | undefined {
    if (this.#dirs.has(at)) return this.#dirs.get(at);
    const dir = this.#see(at)?.entry.type === 'dir' ? this.#readDir(at) : undefined;
    this.#dirs.set(at, dir);
    return dir;
  }

  #readDir(at: ByteString): SeenDir {
    const names = this.#tryRead(at, () => readdirSync(this.hostPath(at), { encoding: 'buffer' }).map(fromBytes));
    const seen = new Map<ByteString, Seen>();
    for (const name of names.sort(compareBytes)) {
      const child = joinPath(at, name);
      const ignored = this.#isIgnored(child);
      if (ignored === 'with-all-below') continue;
      const stats = this.#tryRead(child, () => lstatSync(this.hostPath(child), { throwIfNoEntry: false }));
      if (stats === undefined) continue; // gone since the directory was read, so never seen
      if (ignored === 'itself' && !(stats.isDirectory() && this.#hasUnignored(child))) continue;
      const target = stats.isSymbolicLink() ? this.#tryRead(child, () => this.#readlink(child)) : undefined;
      seen.set(name, { entry: entryOf(child, stats, target), identity: identityOf(stats) });
    }
    return { names: [...seen.keys()], seen };
  }

  #readlink(at: ByteString): ByteString {
    const target = fromBytes(readlinkSync(this.hostPath(at), { encoding: 'buffer' }));
    return isWindows ? target.replaceAll('\\', '/') : target;
  }

  #isIgnored(at: ByteString): 'no' | 'itself' | 'with-all-below' {
    if (this.#ignore === undefined) return 'no';
    const state = this.#ignore.judge(at, this.#states.get(parentOf(at)));
    this.#states.set(at, state);
    if (!state.matched) return 'no';
    return state.skippable ? 'with-all-below' : 'itself';
  }

  /** An ignored directory is there as the parent of something that is not ignored. */
  #hasUnignored(at: ByteString): boolean {
    const dir = this.#readDir(at);
    this.#dirs.set(at, dir);
    return dir.names.length > 0;
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

function identityOf(stats: Stats): FileIdentity {
  return { ino: stats.ino, size: stats.isFile() ? stats.size : 0, mtimeMs: stats.mtimeMs };
}
