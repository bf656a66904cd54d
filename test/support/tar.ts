import { createHash } from 'node:crypto';
import type { Entry, EntryType } from '../../src/layer/entry.js';
import { encodeHeader, TAR_END } from '../../src/layer/tar-writer.js';

/** An entry to be written as it is given: names are not made clean, so that a hostile tar can be made. */
export interface TarSpec {
  readonly path: string;
  readonly type?: EntryType;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly linkname?: string;
  readonly devMajor?: number;
  readonly devMinor?: number;
  readonly xattrs?: ReadonlyMap<string, Buffer>;
  readonly content?: string | Buffer;
}

/** A tar of these entries, in this order. */
export function makeTar(specs: readonly TarSpec[]): Buffer {
  const parts: Buffer[] = [];
  for (const { content, ...spec } of specs) {
    const bytes = Buffer.from(content ?? '');
    const type = spec.type ?? 'file';
    const mode = type === 'dir' ? 0o755 : type === 'symlink' ? 0o777 : 0o644;
    const entry: Entry = { mode, uid: 0, gid: 0, mtime: 1_700_000_000, ...spec, type, size: bytes.length };
    parts.push(encodeHeader(entry), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...parts, TAR_END]);
}

export function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
