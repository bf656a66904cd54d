import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import type { ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import type { RefView } from '../../layer/ref-view.js';
import type { Digest } from '../../oci/digest.js';
import type { ContentSource } from './change-set.js';

/** What the bytes are, with the digest if it is at hand. */
export function viewContent(inputs: readonly RefView[], input: number, path: ByteString, size: number): ContentSource {
  if (size === 0) return { kind: 'bytes', data: Buffer.alloc(0) };
  const digest = inputs[input]?.knownDigest?.(path);
  return digest === undefined ? { kind: 'view', input, path, size } : { kind: 'view', input, path, size, digest };
}

/** sha256 of the bytes, as cheaply as the input can give it. */
export async function digestContent(content: ContentSource, inputs: readonly RefView[]): Promise<Digest> {
  if (content.kind === 'view') {
    const digest = content.digest ?? (await inputs[content.input]!.contentDigest?.(content.path));
    if (digest !== undefined) return digest;
  }
  const hash = createHash('sha256');
  for await (const chunk of openContent(content, inputs)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}` as Digest;
}

/** The bytes themselves, in order. */
export async function* openContent(content: ContentSource, inputs: readonly RefView[]): AsyncIterable<Buffer> {
  switch (content.kind) {
    case 'bytes':
      if (content.data.length > 0) yield content.data;
      return;
    case 'view':
      yield* inputs[content.input]!.open(content.path);
      return;
    case 'archive': {
      const file = openSync(content.file, 'r');
      try {
        for (let read = 0; read < content.size;) {
          const chunk = Buffer.allocUnsafe(Math.min(content.size - read, 1024 * 1024));
          const got = readSync(file, chunk, 0, chunk.length, content.offset + read);
          if (got === 0) throw new BuildError('ARCHIVE_INVALID', 'unexpected EOF');
          read += got;
          yield chunk.subarray(0, got);
        }
      } finally {
        closeSync(file);
      }
    }
  }
}
