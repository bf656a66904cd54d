import { BuildError } from '../base/errors.js';
import { annotationKeys, type Descriptor } from './descriptor.js';
import type { Digest } from './digest.js';
import { formatReference, parseReference, withDefaultTag } from './reference.js';

export interface WantedImage {
  /** A tag, or a name as the index has it, or a reference. */
  readonly tag?: string;
  readonly digest?: Digest;
}

/**
 * The image of a layout's index under a tag, a full name or a digest; with neither, `latest` or the only one. Throws
 * BASE_NOT_FOUND with what `place` has instead, and `how` one of them is named.
 */
export function chooseImage(
  manifests: readonly Descriptor[],
  { tag, digest }: WantedImage,
  place: string,
  how: string,
): Descriptor {
  const full = tag === undefined ? undefined : fullName(tag);
  const match = manifests.filter((one) => {
    if (digest !== undefined) return one.digest === digest;
    return tag === undefined || namesOf(one).some((name) => name === tag || name === full || name.endsWith(`:${tag}`));
  });
  const exact = match.filter((one) => namesOf(one).some((name) => name === (tag === undefined ? 'latest' : full)));
  const latest = match.filter((one) => namesOf(one).some((name) => name === 'latest' || name.endsWith(':latest')));
  const best = [match, exact, latest].find((some) => distinct(some).length === 1);
  if (best) return best[0]!;
  const has = manifests.map((one) => namesOf(one)[0] ?? one.digest).join(', ') || 'nothing';
  const asked = digest ?? tag;
  throw new BuildError(
    'BASE_NOT_FOUND',
    match.length === 0
      ? `${place} has no image${asked ? ` \`${asked}\`` : ''}`
      : `${place} has several images${asked ? ` named \`${asked}\`` : ''}`,
    { hint: `it has: ${has}; ${how}` },
  );
}

function distinct(descriptors: readonly Descriptor[]): readonly Digest[] {
  return [...new Set(descriptors.map((one) => one.digest))];
}

/** What an index of a layout calls an image. */
function namesOf({ annotations }: Descriptor): readonly string[] {
  return [annotations?.[annotationKeys.refName], annotations?.[annotationKeys.imageName]].filter(
    (name) => name !== undefined,
  );
}

function fullName(text: string): string | undefined {
  try {
    return formatReference(withDefaultTag(parseReference(text)));
  } catch (error) {
    if (error instanceof BuildError && error.code === 'REFERENCE_INVALID') return undefined;
    throw error;
  }
}
