import type { EntryType } from '../layer/entry.js';
import { encodeHeader, TAR_END } from '../layer/tar-writer.js';

/** A file of a tar, its name written as it is given. */
export interface TarFile {
  readonly path: string;
  readonly type?: EntryType;
  readonly linkname?: string;
  readonly content?: string | Buffer;
}

export function makeTar(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap(({ path, type = 'file', linkname, content = '' }) => {
    const bytes = Buffer.from(content);
    const entry = { path, type, mode: 0o644, uid: 0, gid: 0, mtime: 0, size: bytes.length };
    const header = encodeHeader({ ...entry, ...(linkname !== undefined && { linkname }) });
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, TAR_END]);
}
