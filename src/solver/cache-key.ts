import { canonicalJson } from '../base/canonical-json.js';
import { digestOf, type Digest } from '../oci/digest.js';
import type { CacheKey } from './types.js';

/** One input's share of a key, as a readable record; hashed last. */
export type KeyInput =
  | { readonly by: 'key'; readonly key: CacheKey; readonly selector?: string }
  | { readonly by: 'content'; readonly digest: Digest };

/** Key of an op over its inputs. */
export function cacheKey(op: Digest, inputs: readonly KeyInput[]): CacheKey {
  return digestOf(canonicalJson({ version: 1, op, inputs: inputs.map((input) => ({ ...input })) })) as CacheKey;
}

/** Key of a result that must be told from earlier ones under the same definition (`--no-cache`). */
export function freshKey(definition: CacheKey, nonce: string): CacheKey {
  return digestOf(canonicalJson({ version: 1, definition, nonce })) as CacheKey;
}
