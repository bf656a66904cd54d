import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { blocksUnderWay, parallelGzip } from '../../layer/parallel-gzip.js';
import type { Digest } from '../../oci/digest.js';
import { KeptPieces } from '../kept-pieces.js';
import type { EarlyFormData, FromThread, ToThread } from './protocol.js';

const CHUNK = 1024 * 1024;
/** Blocks under way while the layer is packed, which is not to wait for a processor. */
const MEANWHILE = Math.max(1, availableParallelism() - 1);

let written = 0;
let isAll = false;
let wake: (() => void) | undefined;

/** The bytes of the file as they come; each chunk is valid until the next one is asked for. */
async function* growing(tar: number): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  for (let at = 0; ;) {
    if (at === written) {
      if (isAll) return;
      await new Promise<void>((resolve) => (wake = resolve));
      continue;
    }
    const count = readSync(tar, buffer, 0, Math.min(CHUNK, written - at), at);
    if (count === 0) throw new Error(`the tar has ${at} bytes, not ${written}`);
    at += count;
    yield buffer.subarray(0, count);
  }
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
