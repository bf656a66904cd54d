import { createHash, type BinaryLike } from 'node:crypto';
import { BuildError } from '../base/errors.js';

declare const brand: unique symbol;
type Brand<T, Name> = T & { readonly [brand]: Name };

/** `sha256:<64 hex>` of bytes as stored and sent. */
export type Digest = Brand<string, 'Digest'>;
/** `sha256:<64 hex>` of an uncompressed layer tar. */
export type DiffId = Brand<string, 'DiffId'>;
/** `sha256:<64 hex>` that identifies a stack of diffIds (OCI image-spec, config.md, "Layer ChainID"). */
export type ChainId = Brand<string, 'ChainId'>;

const FORM = /^sha256:[0-9a-f]{64}$/;

/** Throws BuildError `IMAGE_INVALID` unless `text` is a sha256 digest in canonical form. */
export function parseDigest(text: string): Digest {
  if (!FORM.test(text)) {
    throw new BuildError('IMAGE_INVALID', `not a sha256 digest: \`${text.slice(0, 100)}\``);
  }
  return text as Digest;
}

export function isDigest(text: string): text is Digest {
  return FORM.test(text);
}

export function digestOf(content: BinaryLike): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** The 64 hexadecimal digits. */
export function hexOf(digest: Digest | DiffId | ChainId): string {
  return digest.slice('sha256:'.length);
}

/** ChainId of `diffId` laid on `parent`; without a parent it is the diffId itself. */
export function chainOn(parent: ChainId | undefined, diffId: DiffId): ChainId {
  if (parent === undefined) return diffId as string as ChainId;
  return digestOf(`${parent} ${diffId}`) as string as ChainId;
}

/** ChainId of a whole stack, lowest first; undefined for no layers. */
export function chainOf(diffIds: readonly DiffId[]): ChainId | undefined {
  return diffIds.reduce<ChainId | undefined>((parent, diffId) => chainOn(parent, diffId), undefined);
}
