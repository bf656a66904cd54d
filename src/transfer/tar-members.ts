import { open } from 'node:fs/promises';
import { fromText, type ByteString } from '../base/bytes.js';
import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { TarEntry } from '../layer/tar-entry.js';
import { TarParser } from '../layer/tar-reader.js';
import { readChunks } from '../store/blobs.js';

/** Where the bytes of a file of a tar are. */
export interface TarMember {
  readonly offset: number;
  readonly size: number;
}

type Found = TarMember | { readonly link: ByteString } | 'twice' | 'sparse';

const CHUNK = 64 * 1024;
const ZEROS = Buffer.alloc(256 * 1024);

/**
 * The files of an uncompressed tar, to be read in place: nothing of it is unpacked. The tar is somebody else's, and not
 * trusted: its links lead nowhere but to its own files, and a name that stands for two files stands for none.
 */
export class TarMembers {
  readonly #file: string;
  readonly #found: ReadonlyMap<ByteString, Found>;

  private constructor(file: string, found: ReadonlyMap<ByteString, Found>) {
    this.#file = file;
    this.#found = found;
  }

  /** Reads the headers of a regular file, and of its contents no more than stands beside them. Throws ARCHIVE_INVALID. */
  static async scan(file: string, opts: Cancel): Promise<TarMembers> {
    const found = new Map<ByteString, Found>();
    /** Where the content ends that is being passed over. */
    let contentEnd = 0;
    const parser = new TarParser({
      entry: (entry) => {
        contentEnd = entry.fragments ? 0 : entry.dataOffset + (entry.type === 'file' ? entry.size : 0);
        if (found.size >= limits.imageArchiveFiles) {
          throw invalid(`it has more than ${limits.imageArchiveFiles} files, more than any image archive`);
        }
        add(found, entry);
      },
      data: () => undefined,
      end: () => undefined,
    });
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      const chunk = Buffer.allocUnsafe(CHUNK);
      for (let at = 0; at < size;) {
        opts.signal.throwIfAborted();
        // Content is passed over, not read: the parser needs to be given as many bytes, not those.
        for (const until = Math.min(contentEnd, size); at < until; at += Math.min(ZEROS.length, until - at)) {
          parser.write(ZEROS.subarray(0, Math.min(ZEROS.length, until - at)));
        }
        const { bytesRead } = await handle.read(chunk, 0, CHUNK, at);
        if (bytesRead === 0) break;
        parser.write(chunk.subarray(0, bytesRead));
        at += bytesRead;
      }
      parser.finish();
    } finally {
      await handle.close();
    }
    return new TarMembers(file, found);
  }

  /** The file of that name, through links; undefined when there is none. Throws ARCHIVE_INVALID for what is unsafe. */
  find(name: string): TarMember | undefined {
    let path: ByteString = fromText(name);
    for (let hops = 0; hops <= limits.symlinks; hops++) {
      const found = this.#found.get(path);
      if (found === undefined || (typeof found === 'object' && 'offset' in found)) return found;
      if (found === 'twice') throw invalid(`\`${name}\` is in it twice`);
      if (found === 'sparse') throw invalid(`\`${name}\` is a sparse file`);
      path = found.link;
    }
    throw invalid(`the links of \`${name}\` have no end`);
  }

  read({ offset, size }: TarMember, { signal }: Cancel): AsyncIterable<Buffer> {
    return readChunks(this.#file, { signal, start: offset, length: size });
  }

  /** A small file whole; undefined when there is none. Throws IMAGE_INVALID when it is larger than a document may be. */
  async readDocument(name: string, opts: Cancel): Promise<Buffer | undefined> {
    const member = this.find(name);
    if (!member) return undefined;
    if (member.size > limits.documentBytes) {
      throw new BuildError('IMAGE_INVALID', `\`${name}\` has ${member.size} bytes, more than ${limits.documentBytes}`);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of this.read(member, opts)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}

/** Names that try to lead out, and links that do, are as good as absent: nothing in an image archive is found there. */
function add(found: Map<ByteString, Found>, entry: TarEntry): void {
  const { path, rawName } = entry;
  if (path === '' || entry.type === 'dir' || rawName.startsWith('/') || rawName.split('/').includes('..')) return;
  const what = foundOf(entry);
  if (what) found.set(path, found.has(path) ? 'twice' : what);
}

function foundOf(entry: TarEntry): Found | undefined {
  if (entry.type === 'file') return entry.fragments ? 'sparse' : { offset: entry.dataOffset, size: entry.size };
  if (entry.type !== 'symlink' && entry.type !== 'hardlink') return undefined;
  const link = inside(entry.type === 'symlink' ? entry.path.split('/').slice(0, -1) : [], entry.rawLinkname);
  return link === undefined ? undefined : { link };
}

function inside(base: readonly ByteString[], target: ByteString): ByteString | undefined {
  if (target.startsWith('/')) return undefined;
  const parts = [...base];
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

function invalid(what: string): BuildError {
  return new BuildError('ARCHIVE_INVALID', `the image archive is invalid: ${what}`);
}
