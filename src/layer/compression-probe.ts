import { deflateRawSync } from 'node:zlib';

const SAMPLES = 8;
const SAMPLE = 1024;
/** Bits a byte, of 8, above which bytes look like those of compressed or encrypted data. */
const HIGH_ENTROPY = 7.94;

/**
 * Whether `block` looks like archives and pictures do, which are compressed already: deflate takes its full time for
 * them and gains nothing. Told by samples, so sometimes no for such a block, hardly ever yes for another.
 */
export function looksCompressed(block: Buffer): boolean {
  if (block.length < SAMPLES * SAMPLE) return false;
  const step = Math.floor((block.length - SAMPLE) / (SAMPLES - 1));
  const sample = Buffer.concat(Array.from({ length: SAMPLES }, (_, i) => block.subarray(i * step, i * step + SAMPLE)));
  return (
    entropy(sample) > HIGH_ENTROPY &&
    deflateRawSync(sample, { level: 1, chunkSize: 2 * sample.length }).length >= sample.length
  );
}

/** Bits a byte, were each byte by itself. */
function entropy(bytes: Buffer): number {
  const counts = new Uint32Array(256);
  for (let i = 0; i < bytes.length; i++) counts[bytes[i]!]!++; // a `for of` takes five times as long
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= count * Math.log2(count / bytes.length);
  return bits / bytes.length;
}
