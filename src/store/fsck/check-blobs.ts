import { createHash } from 'node:crypto';
import type { Cancel } from '../../base/abort.js';
import { hasCode } from '../../base/errors.js';
import type { Digest } from '../../oci/digest.js';
import { readChunks } from '../blobs.js';
import type { StorePaths } from '../paths.js';
import type { Damage } from './types.js';

/** Hashes blobs. `users`: names of images by blob. A blob that goes meanwhile is none that is damaged. */
export async function checkBlobs(
  paths: StorePaths,
  digests: Iterable<Digest>,
  users: ReadonlyMap<Digest, readonly string[]>,
  opts: Cancel,
): Promise<readonly Damage[]> {
  const damage: Damage[] = [];
  for (const digest of digests) {
    const found = await hashOf(paths.blob(digest), opts);
    if (found === undefined || found === digest) continue;
    damage.push({
      what: `blob \`${digest}\` does not hash to its digest`,
      images: users.get(digest) ?? [],
      repair: { kind: 'blob', digest },
      isStill: () => true, // what stands under a digest is never written again in its place
    });
  }
  return damage;
}

async function hashOf(file: string, opts: Cancel): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of readChunks(file, opts)) hash.update(chunk);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  return `sha256:${hash.digest('hex')}`;
}
