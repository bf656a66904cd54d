import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type ByteString, toFsPath, toText } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import type { Digest, DiffId } from '../oci/digest.js';
import type { Entry } from './entry.js';
import { encodeHeader, TAR_END } from './tar-writer.js';
import { paddingOf } from './tar-format.js';
import { isKept, type Toc, type TocEntry } from './toc.js';

/** Where the bytes of a file are. */
export type PackContent =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** All of a file on this machine. */
  | { readonly kind: 'file'; readonly file: ByteString }
  /** `entry.size` bytes of a file on this machine, from `offset`: an uncompressed layer, for example. */
  | { readonly kind: 'range'; readonly file: ByteString; readonly offset: number };

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

/**
 * Writes a layer: entries in the order given, byte for byte as BuildKit would; of extended attributes only
 * `security.capability`. One pass and one buffer: reads, hashes
 * and hands on. Throws BuildError CONTEXT_INVALID when a file is not what its entry or digest says.
 */
export class LayerPacker {
  readonly #sink: ByteSink;
  readonly #hash = createHash('sha256');
  readonly #entries: TocEntry[] = [];
  readonly #buffer = Buffer.allocUnsafe(BUFFER);
  #filled = 0;
  #offset = 0;
  #flushed = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  add(item: PackItem): void {
    for (const _ of this.steps(item)) continue;
  }

  /** The same as `add`, with a pause after every buffer that went to the sink. To be gone through to its end. */
  *steps(item: PackItem): Generator<void, void, undefined> {
    const before = this.#flushed;
    yield* this.#steps(item);
    if (this.#flushed > before) yield;
  }

  *#steps(item: PackItem): Generator<void, void, undefined> {
    const entry = asWritten(item.entry);
    if (entry.type !== 'file') {
      this.#write(encodeHeader(entry));
      this.#entries.push(entry);
      return;
    }
    this.#write(encodeHeader(entry));
    const dataOffset = this.#offset;
    const kept: Buffer[] | undefined = isKept(entry.path, entry.size) ? [] : undefined;
    const hash = createHash('sha256');
    yield* this.#copy(item, hash, kept);
    const digest = `sha256:${hash.digest('hex')}` as Digest;
    if (item.digest !== undefined && digest !== item.digest) throw changed(entry);
    this.#write(ZEROS.subarray(0, paddingOf(entry.size)));
    this.#entries.push({ ...entry, digest, dataOffset, ...(kept && { bytes: Buffer.concat(kept) }) });
  }

  /** Writes the end of the archive, and tells what was written. */
  finish(): Toc {
    this.#write(TAR_END);
    this.#flush();
    return { diffId: `sha256:${this.#hash.digest('hex')}` as DiffId, size: this.#offset, entries: this.#entries };
  }

  *#copy({ entry, content }: PackItem, hash: Hash, kept: Buffer[] | undefined): Generator<void, void, undefined> {
    if (content === undefined || content.kind === 'bytes') {
      const bytes = content?.bytes ?? ZEROS.subarray(0, 0);
      if (bytes.length !== entry.size) throw changed(entry);
      hash.update(bytes);
      kept?.push(Buffer.from(bytes));
      this.#write(bytes);
      return;
    }
    const fd = openFile(entry, content.file);
    try {
      const start = content.kind === 'range' ? content.offset : 0;
      if (content.kind === 'file' && fstatSync(fd).size !== entry.size) throw changed(entry);
      yield* this.#copyFrom(fd, start, entry, hash, kept);
    } finally {
      closeSync(fd);
    }
  }

  /** Reads straight into the buffer that goes to the sink. */
  *#copyFrom(
    fd: number,
    start: number,
    entry: Entry,
    hash: Hash,
    kept: Buffer[] | undefined,
  ): Generator<void, void, undefined> {
    let done = 0;
    while (done < entry.size) {
      if (this.#filled === BUFFER) {
        this.#flush();
        yield;
      }
      const wanted = Math.min(BUFFER - this.#filled, entry.size - done);
      const read = readSync(fd, this.#buffer, this.#filled, wanted, start + done);
      if (read === 0) throw changed(entry);
      const bytes = this.#buffer.subarray(this.#filled, this.#filled + read);
      hash.update(bytes);
      kept?.push(Buffer.from(bytes));
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
    this.#flushed++;
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#filled = 0;
    this.#hash.update(bytes);
    this.#sink(bytes);
  }
}

/** Packs all `items` into `sink`; the layer's diffId, size and table of contents come from the same pass. */
export function packLayer(items: Iterable<PackItem>, sink: ByteSink): Toc {
  const packer = new LayerPacker(sink);
  for (const item of items) packer.add(item);
  return packer.finish();
}

/** Of the extended attributes a layer gets file capabilities only, as in BuildKit; sizes belong to files. */
function asWritten(entry: Entry): Entry {
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
function openFile(entry: Entry, file: ByteString): number {
  try {
    return openSync(toFsPath(file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) throw changed(entry, cause);
    throw new BuildError('CONTEXT_INVALID', `cannot read \`${toText(entry.path)}\``, { cause });
  }
}

function changed(entry: Entry, cause?: unknown): BuildError {
  return new BuildError('CONTEXT_INVALID', `\`${toText(entry.path)}\` changed while it was read`, {
    hint: 'run the build again when nothing else writes to the build context',
    ...(cause !== undefined && { cause }),
  });
}
