import { createHash, hash as oneShotHash, type Hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type ByteString, toFsPath, toText } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import type { Digest, DiffId } from '../oci/digest.js';
import type { Entry } from './entry.js';
import { RangeReader } from './range-reader.js';
import { encodeHeader, encodePlainHeader, TAR_END } from './tar-writer.js';
import { BLOCK, paddingOf } from './tar-format.js';
import { isKept, type Toc, type TocEntry } from './toc.js';

/** Where the bytes of a file are. */
export type PackContent =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** All of a file on this machine. `seen`: as it was found, and must still be when its bytes have been read. */
  | { readonly kind: 'file'; readonly file: ByteString; readonly seen?: SeenFile }
  /** `entry.size` bytes of a file on this machine, from `offset`: an uncompressed layer, for example. */
  | {
      readonly kind: 'range';
      readonly file: ByteString;
      readonly offset: number;
      /** The bytes were hashed when they were put there, and the item's digest is theirs; nobody else writes there. */
      readonly isHashed?: boolean;
    };

/** What tells whether a file is still the one that was found. */
export interface SeenFile {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}

/** One entry of a layer to be. A file of more than 0 bytes needs `content`. */
export interface PackItem {
  readonly entry: Entry;
  readonly content?: PackContent;
  /** What the content must hash to: known from the time when it was chosen. */
  readonly digest?: Digest;
}

/** Takes the bytes of a tar in order. A buffer is the writer's again when the call returns. */
export type ByteSink = (bytes: Buffer) => void;

const CAPABILITY = 'security.capability';
const BUFFER = 1024 * 1024;
const ZEROS = Buffer.alloc(512);

/** Puts up to `length` bytes from `position` of a content into the packer's buffer at `at`; gives how many. */
type ReadAt = (at: number, length: number, position: number) => number;

/**
 * Writes a layer: entries in the order given, byte for byte as BuildKit would; of extended attributes only
 * `security.capability`. One pass and one buffer: reads, hashes and hands on. Throws BuildError CONTEXT_INVALID when a
 * file is not what its entry or digest says. To be disposed of.
 */
export class LayerPacker {
  readonly #sink: ByteSink;
  readonly #hash = createHash('sha256');
  readonly #entries: TocEntry[] = [];
  readonly #buffer = Buffer.allocUnsafe(BUFFER);
  readonly #ranges = new RangeReader(openFile);
  #filled = 0;
  #offset = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  add(item: PackItem): void {
    const entry = asWritten(item.entry);
    this.#header(entry);
    if (entry.type !== 'file') this.#entries.push(entry);
    else if (entry.size <= BUFFER) this.#whole(entry, item);
    else this.#inParts(entry, item);
  }

  /** Writes the end of the archive, and tells what was written. */
  finish(): Toc {
    this.#write(TAR_END);
    this.#flush();
    return { diffId: `sha256:${this.#hash.digest('hex')}` as DiffId, size: this.#offset, entries: this.#entries };
  }

  [Symbol.dispose](): void {
    this.#ranges[Symbol.dispose]();
  }

  #header(entry: Entry): void {
    if (BUFFER - this.#filled < BLOCK) this.#flush();
    if (encodePlainHeader(entry, this.#buffer, this.#filled)) {
      this.#filled += BLOCK;
      this.#offset += BLOCK;
    } else this.#write(encodeHeader(entry));
  }

  /** A file that the buffer can hold. */
  #whole(entry: Entry, item: PackItem): void {
    const { size } = entry;
    if (BUFFER - this.#filled < size) this.#flush();
    const start = this.#filled;
    const dataOffset = this.#offset;
    this.#copy(entry, item.content, undefined);
    const kept = isKept(entry.path, size) ? Buffer.from(this.#buffer.subarray(start, start + size)) : undefined;
    this.#end(entry, item, knownDigest(item) ?? this.#digestFrom(start), dataOffset, kept);
  }

  #digestFrom(start: number): Digest {
    return `sha256:${oneShotHash('sha256', this.#buffer.subarray(start, this.#filled), 'hex')}` as Digest;
  }

  #inParts(entry: Entry, item: PackItem): void {
    const dataOffset = this.#offset;
    const known = knownDigest(item);
    const hash = known === undefined ? createHash('sha256') : undefined;
    this.#copy(entry, item.content, hash);
    const digest = known ?? (`sha256:${hash!.digest('hex')}` as Digest);
    this.#end(entry, item, digest, dataOffset, undefined);
  }

  #end(entry: Entry, item: PackItem, digest: Digest, dataOffset: number, kept: Buffer | undefined): void {
    if (item.digest !== undefined && digest !== item.digest) throw changed(entry);
    const padding = paddingOf(entry.size);
    if (BUFFER - this.#filled < padding) this.#flush();
    this.#buffer.fill(0, this.#filled, this.#filled + padding);
    this.#filled += padding;
    this.#offset += padding;
    this.#entries.push(
      kept ? { ...fileEntry(entry, digest, dataOffset), bytes: kept } : fileEntry(entry, digest, dataOffset),
    );
  }

  #copy(entry: Entry, content: PackContent | undefined, hash: Hash | undefined): void {
    switch (content?.kind) {
      case undefined:
      case 'bytes': {
        const bytes = content?.bytes ?? ZEROS.subarray(0, 0);
        if (bytes.length !== entry.size) throw changed(entry);
        hash?.update(bytes);
        return this.#write(bytes);
      }
      case 'range': {
        const { file, offset } = content;
        const read: ReadAt = (at, length, position) =>
          explained(entry, () => this.#ranges.read(file, offset + position, this.#buffer, at, length));
        return this.#copyFrom(entry, read, hash);
      }
      case 'file': {
        const fd = explained(entry, () => openFile(content.file));
        try {
          const { seen } = content;
          if (!seen && fstatSync(fd).size !== entry.size) throw changed(entry);
          const read: ReadAt = (at, length, position) => readSync(fd, this.#buffer, at, length, position);
          this.#copyFrom(entry, read, hash);
          // A change before this shows, one after it does not matter.
          if (seen && !isSame(fstatSync(fd), seen)) throw changed(entry);
          return;
        } finally {
          closeSync(fd);
        }
      }
    }
  }

  /** Reads straight into the buffer that goes to the sink. */
  #copyFrom(entry: Entry, readAt: ReadAt, hash: Hash | undefined): void {
    const { size } = entry;
    for (let done = 0; done < size;) {
      if (this.#filled === BUFFER) this.#flush();
      const read = readAt(this.#filled, Math.min(BUFFER - this.#filled, size - done), done);
      if (read === 0) throw changed(entry);
      if (hash) hash.update(this.#buffer.subarray(this.#filled, this.#filled + read));
      this.#filled += read;
      this.#offset += read;
      done += read;
    }
  }

  #write(bytes: Buffer): void {
    this.#offset += bytes.length;
    if (bytes.length > BUFFER - this.#filled) this.#flush();
    if (bytes.length > BUFFER) {
      this.#hash.update(bytes);
      this.#sink(bytes);
      return;
    }
    bytes.copy(this.#buffer, this.#filled);
    this.#filled += bytes.length;
  }

  #flush(): void {
    if (this.#filled === 0) return;
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#filled = 0;
    this.#hash.update(bytes);
    this.#sink(bytes);
  }
}

/** All of one shape, field by field, since there may be many: three times as fast as a spread. */
function fileEntry(entry: Entry, digest: Digest, dataOffset: number): TocEntry {
  const { path, mode, uid, gid, size, mtime, xattrs } = entry;
  const plain = { path, type: 'file', mode, uid, gid, size, mtime, digest, dataOffset } as const;
  return xattrs ? { ...plain, xattrs } : plain;
}

/** Whether a file is the one that was found. */
export function isSame(now: SeenFile, seen: SeenFile): boolean {
  return now.ino === seen.ino && now.size === seen.size && now.mtimeMs === seen.mtimeMs;
}

/** That of bytes which need not be hashed again. */
export function knownDigest({ content, digest }: PackItem): Digest | undefined {
  return content?.kind === 'range' && content.isHashed ? digest : undefined;
}

/** Packs all `items` into `sink`; the layer's diffId, size and table of contents come from the same pass. */
export function packLayer(items: Iterable<PackItem>, sink: ByteSink): Toc {
  using packer = new LayerPacker(sink);
  for (const item of items) packer.add(item);
  return packer.finish();
}

/** Of the extended attributes a layer gets file capabilities only, as in BuildKit; sizes belong to files. */
export function asWritten(entry: Entry): Entry {
  const hasSize = entry.type === 'file' || entry.size === 0;
  if (!entry.xattrs && hasSize) return entry;
  const { xattrs, ...rest } = entry;
  const capability = xattrs?.get(CAPABILITY);
  return {
    ...rest,
    ...(!hasSize && { size: 0 }),
    ...(capability && { xattrs: new Map([[CAPABILITY, capability]]) }),
  };
}

/** Never follows a link in the last component, and never waits for the other end of a pipe put in the file's place. */
export function openFile(file: ByteString): number {
  return openSync(toFsPath(file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** What `read` gives; what the system says of the file becomes an error of the entry. */
export function explained<T>(entry: Entry, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (hasCode(cause, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) throw changed(entry, cause);
    throw new BuildError('CONTEXT_INVALID', `cannot read \`${toText(entry.path)}\``, { cause });
  }
}

/** What to throw when a file is not what its entry or digest says. */
export function changed(entry: Entry, cause?: unknown): BuildError {
  return new BuildError('CONTEXT_INVALID', `\`${toText(entry.path)}\` changed while it was read`, {
    hint: 'run the build again when nothing else writes to the build context',
    ...(cause !== undefined && { cause }),
  });
}
