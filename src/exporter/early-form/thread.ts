import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { Filler } from '../../layer/gzip-blocks.js';
import { blocksUnderWay, parallelGzip } from '../../layer/parallel-gzip.js';
import type { Digest } from '../../oci/digest.js';
import { KeptPieces } from '../kept-pieces.js';
import type { EarlyFormData, FromThread, ToThread } from './protocol.js';

/** Blocks under way while the layer is packed, which is not to wait for a processor. */
const MEANWHILE = Math.max(1, availableParallelism() - 1);

let written = 0;
let isAll = false;
let wake: (() => void) | undefined;

/** The bytes of the file as they come. */
function growing(tar: number): Filler {
  let at = 0;
  return async (room) => {
    while (at === written && !isAll) await new Promise<void>((resolve) => (wake = resolve));
    if (at === written) return 0;
    const count = readSync(tar, room, 0, Math.min(room.length, written - at), at);
    if (count === 0) throw new Error(`the tar has ${at} bytes, not ${written}`);
    at += count;
    return count;
  };
}

function underWay(): number {
  return isAll ? blocksUnderWay() : Math.min(MEANWHILE, blocksUnderWay());
}

async function make({ tar, dest, level, pieces }: EarlyFormData): Promise<FromThread> {
  await using known = new KeptPieces(pieces);
  const hash = createHash('sha256');
  const fd = openSync(dest, 'wx', 0o644);
  let size = 0;
  try {
    for await (const chunk of parallelGzip(growing(tar), { level, known, underWay })) {
      hash.update(chunk);
      for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done);
      size += chunk.length;
    }
  } finally {
    closeSync(fd);
  }
  return { kind: 'made', digest: `sha256:${hash.digest('hex')}` as Digest, size, rows: known.rows };
}

const port = parentPort!;
port.on('message', (message: ToThread) => {
  ({ written, isAll } = message);
  wake?.();
});
try {
  port.postMessage(await make(workerData as EarlyFormData));
} catch (error) {
  if (!(error instanceof Error) || !('code' in error)) throw error;
  const { message, code } = error;
  port.postMessage({ kind: 'system', code: String(code), message } satisfies FromThread);
}
port.close();
