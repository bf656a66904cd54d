import { createHash, hash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, readdirSync } from 'node:fs';
import { type ByteString, toFsPath, toText } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import type { Digest } from '../oci/digest.js';
import { readTreeEntry } from './tree-entry.js';
import type { LowerView, TreeEntry } from './types.js';

const CHUNK = 256 * 1024;
/** For what is only hashed: a buffer for each of many small files would be more work for the collector than the hashing. */
let hashed: Buffer | undefined;

interface OpenFile {
  readonly fd: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * Read access to a directory on disk, a plain tree or a mounted one, in the shape of `layer/ref-view.ts`. Never leaves
 * the root and follows no link. The tree must not lose directories while the view is in use: which of them are real is
 * looked up once.
 */
export class TreeView implements LowerView {
  readonly #root: ByteString;
  readonly #directories = new Set<ByteString>(['']);

  /** `root` is absolute and without a trailing slash. */
  constructor(root: ByteString) {
    this.#root = root;
  }

  lstat(path: ByteString): TreeEntry | undefined {
    if (!this.#isReal(parentOf(path))) return undefined;
    const entry = readTreeEntry(this.#at(path), path);
    if (entry?.type === 'dir') this.#directories.add(path);
    return entry;
  }

  list(path: ByteString): readonly ByteString[] | undefined {
    if (!this.#isReal(path)) return undefined;
    try {
      return readdirSync(toFsPath(this.#at(path)), 'latin1').sort();
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  async readFile(path: ByteString, maxBytes: number): Promise<Buffer | undefined> {
    const opened = this.#openFile(path);
    if (!opened) return undefined;
    const { fd, size } = opened;
    try {
      if (size > maxBytes) {
        throw new BuildError(
          'ARCHIVE_INVALID',
          `\`${toText(path)}\` has ${size} bytes, more than the ${maxBytes} allowed`,
        );
      }
      const content = Buffer.allocUnsafe(size);
      let filled = 0;
      for (let n = 1; n > 0 && filled < size; filled += n) n = readSync(fd, content, filled, size - filled, filled);
      return content.subarray(0, filled);
    } finally {
      closeSync(fd);
    }
  }

  /** Reads synchronously, a chunk for each step of the iteration. */
  async *open(path: ByteString): AsyncGenerator<Buffer> {
    const { fd } = this.#openRegular(path);
    try {
      // a tree does not change while it is read, but whatever is there is read to its end
      for (let left = fstatSync(fd).size; ; left = Math.max(0, left)) {
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK, left + 1));
        const n = readSync(fd, chunk, 0, chunk.length, null);
        if (n === 0) return;
        yield chunk.subarray(0, n);
        left -= n;
      }
    } finally {
      closeSync(fd);
    }
  }

  /** Reads it now, synchronously. */
  contentDigest(path: ByteString): Digest {
    const { fd, size } = this.#openRegular(path);
    const chunk = (hashed ??= Buffer.allocUnsafeSlow(CHUNK));
    try {
      let n = readSync(fd, chunk, 0, CHUNK, null);
      if (n === size) return `sha256:${hash('sha256', chunk.subarray(0, n))}` as Digest;
      const sum = createHash('sha256');
      for (; n > 0; n = readSync(fd, chunk, 0, CHUNK, null)) sum.update(chunk.subarray(0, n));
      return `sha256:${sum.digest('hex')}` as Digest;
    } finally {
      closeSync(fd);
    }
  }

  #at(path: ByteString): ByteString {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }

  #openRegular(path: ByteString): OpenFile {
    const opened = this.#openFile(path);
    if (!opened) throw new Error(`not a regular file: ${toText(path)}`);
    return opened;
  }

  #openFile(path: ByteString): OpenFile | undefined {
    if (!this.#isReal(parentOf(path))) return undefined;
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    let fd: number;
    try {
      fd = openSync(toFsPath(this.#at(path)), flags);
    } catch (error) {
      // ELOOP: a link; ENXIO: a socket or a device without driver
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENODEV')) return undefined;
      // what a mount without devices says of them
      if (hasCode(error, 'EACCES') && !lstatSync(toFsPath(this.#at(path))).isFile()) return undefined;
      throw error;
    }
    const stat = fstatSync(fd);
    if (stat.isFile()) return { fd, size: stat.size };
    closeSync(fd);
    return undefined;
  }

  /** True if `dir` and all above it are directories and not links. */
  #isReal(dir: ByteString): boolean {
    if (this.#directories.has(dir)) return true;
    if (!this.#isReal(parentOf(dir))) return false;
    const real = readTreeEntry(this.#at(dir), dir)?.type === 'dir';
    if (real) this.#directories.add(dir);
    return real;
  }
}

function parentOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}
