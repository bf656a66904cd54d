import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import type { Entry } from './entry.js';
import { asWritten, changed, explained, knownDigest, openFile, type PackContent, type PackItem } from './pack.js';
import { RangeReader } from './range-reader.js';
import type { TarSink } from './tar-reader.js';

const BUFFER = 1024 * 1024;

/**
 * Hands items to a sink as if they had come in the layer that `packLayer` would make of them. What nobody asks for, digests
 * that no item names among it, is not computed. Throws BuildError CONTEXT_INVALID as `packLayer`, and what the sink throws.
 */
export function passItems(items: Iterable<PackItem>, sink: TarSink): void {
  const buffer = Buffer.allocUnsafe(BUFFER);
  using ranges = new RangeReader(openFile);
  for (const item of items) {
    const entry = asWritten(item.entry);
    const { path, linkname = '' } = entry;
    sink.entry({ ...entry, rawName: path, rawLinkname: linkname, dataOffset: 0 });
    if (entry.type === 'file') passContent(item, entry, { buffer, ranges, sink });
    sink.end();
  }
}

interface Passing {
  readonly buffer: Buffer;
  readonly ranges: RangeReader;
  readonly sink: TarSink;
}

function passContent(item: PackItem, entry: Entry, passing: Passing): void {
  const isOpen = item.digest !== undefined && knownDigest(item) === undefined;
  const hash = isOpen ? createHash('sha256') : undefined;
  copy(entry, item.content, hash, passing);
  if (hash && `sha256:${hash.digest('hex')}` !== item.digest) throw changed(entry);
}

function copy(
  entry: Entry,
  content: PackContent | undefined,
  hash: Hash | undefined,
  { buffer, ranges, sink }: Passing,
): void {
  const pass = (bytes: Buffer, position: number): void => {
    hash?.update(bytes);
    sink.data(bytes, position);
  };
  const copyFrom = (readAt: (length: number, position: number) => number): void => {
    for (let done = 0; done < entry.size;) {
      const read = readAt(Math.min(BUFFER, entry.size - done), done);
      if (read === 0) throw changed(entry);
      pass(buffer.subarray(0, read), done);
      done += read;
    }
  };
  switch (content?.kind) {
    case undefined:
    case 'bytes': {
      const bytes = content?.bytes ?? buffer.subarray(0, 0);
      if (bytes.length !== entry.size) throw changed(entry);
      return bytes.length > 0 ? pass(bytes, 0) : undefined;
    }
    case 'range': {
      const { file, offset } = content;
      return copyFrom((length, at) => explained(entry, () => ranges.read(file, offset + at, buffer, 0, length)));
    }
    case 'file': {
      const fd = explained(entry, () => openFile(content.file));
      try {
        if (fstatSync(fd).size !== entry.size) throw changed(entry);
        return copyFrom((length, at) => readSync(fd, buffer, 0, length, at));
      } finally {
        closeSync(fd);
      }
    }
  }
}
