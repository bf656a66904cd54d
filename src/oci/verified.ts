import { createHash } from 'node:crypto';
import { BuildError } from '../base/errors.js';
import type { Descriptor } from './descriptor.js';
import type { Digest } from './digest.js';

const vouched = new WeakMap<object, Digest>();

/**
 * Passes `content` on and checks it: ends with BuildError BLOB_CORRUPT unless exactly `target.size` bytes that hash to
 * `target.digest` went by. Stops at the first byte too many.
 */
export function verified(
  content: AsyncIterable<Uint8Array>,
  target: Descriptor,
): AsyncGenerator<Buffer, void, undefined> {
  return vouchedFor(check(content, target), target);
}

/** For a stream that passes on, in its own way, what `verified` gives: it is `isVerified` too. */
export function vouchedFor<T extends object>(content: T, { digest }: Descriptor): T {
  vouched.set(content, digest);
  return content;
}

/** Whether this very stream checks itself against `target`, so that its reader need not. */
export function isVerified(content: object, { digest }: Descriptor): boolean {
  return vouched.get(content) === digest;
}

async function* check(content: AsyncIterable<Uint8Array>, target: Descriptor): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > target.size) throw corrupt(target, `has more than the ${target.size} bytes it should have`);
    hash.update(chunk);
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (size < target.size) throw corrupt(target, `has ${size} bytes instead of ${target.size}`);
  const digest = `sha256:${hash.digest('hex')}`;
  if (digest !== target.digest) throw corrupt(target, `hashes to \`${digest}\``);
}

function corrupt(target: Descriptor, what: string): BuildError {
  return new BuildError('BLOB_CORRUPT', `blob \`${target.digest}\` ${what}`, {
    hint: 'the bytes were damaged or changed where they came from; fetch or build the image again',
  });
}
