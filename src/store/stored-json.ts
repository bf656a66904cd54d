import { isDigest, type Digest } from '../oci/digest.js';
import type { CacheRecord } from './records.js';
import type { LayerFact, RefRecord, TreeFact } from './refs.js';

/**
 * What the small files of a store say, as far as it can be used. Undefined for what is not of the form in which it was written:
 * a store may be damaged, or come from somebody else, and what it calls a name becomes a part of paths.
 */
export function toRefRecord(value: unknown): RefRecord | undefined {
  if (!isObject(value)) return undefined;
  const { id, parent, faces, createdAt, description } = value;
  const isWhole =
    isName(id) &&
    isAbsentOr(isName, parent) &&
    isAbsentOr(isName, faces) &&
    isAbsentOr(isNumber, createdAt) &&
    isAbsentOr(isText, description);
  return isWhole ? (value as object as RefRecord) : undefined;
}

export function toLayerFact(value: unknown): LayerFact | undefined {
  if (!isObject(value) || !isDigestText(value['diffId']) || !isObject(value['blob'])) return undefined;
  const { digest, size } = value['blob'];
  return isDigestText(digest) && isNumber(size) ? (value as object as LayerFact) : undefined;
}

export function toTreeFact(value: unknown): TreeFact | undefined {
  return isObject(value) && isName(value['tree']) ? (value as object as TreeFact) : undefined;
}

export function toCacheRecord(value: unknown): CacheRecord | undefined {
  if (!isObject(value)) return undefined;
  const { results, alias } = value;
  const isWhole = results === undefined ? isDigestText(alias) : Array.isArray(results) && results.every(isName);
  return isWhole ? (value as object as CacheRecord) : undefined;
}

/** Of a fact that tells of a `digest`. */
export function toDigestFact(value: unknown): { readonly digest: Digest } | undefined {
  return isObject(value) && isDigestText(value['digest']) ? { digest: value['digest'] } : undefined;
}

/** Refs and trees are named by digits and letters: nothing of that leads anywhere else. */
function isName(value: unknown): value is string {
  return isText(value) && /^[\w-]{1,128}$/.test(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isDigestText(value: unknown): value is Digest {
  return isText(value) && isDigest(value);
}

function isAbsentOr(is: (value: unknown) => boolean, value: unknown): boolean {
  return value === undefined || is(value);
}
