import type { Readable } from 'node:stream';
import type { WireAnswer } from './connections.js';

/** Up to `limit` bytes of a body; the rest is not read. Throws what the connection throws. */
export async function readUpTo(body: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
}

/** Bytes that are read of a body that nobody wants, so that its connection can be used again; a longer one is cut. */
const DISCARDED_BYTES = 64 * 1024;

/** Never throws. */
export async function discard(body: WireAnswer['body']): Promise<void> {
  await body.dump({ limit: DISCARDED_BYTES });
}
