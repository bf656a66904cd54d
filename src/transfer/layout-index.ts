import { BuildError } from '../base/errors.js';
import { annotationKeys, mediaTypes, type Descriptor, type Index } from '../oci/descriptor.js';
import { formatReference, parseReference, withDefaultTag, type Reference } from '../oci/reference.js';

/** How an image is called in a layout: by references, or by any text, as `oci:DIR:TEXT` has it. */
export type LayoutNames = { readonly references: readonly Reference[] } | { readonly text: string };

/**
 * What the index of a layout says of an image, an entry for each name. As BuildKit: the name annotation is the tag
 * alone, the full name stands beside it; other tools look images up by the former.
 */
export function indexEntries(
  { mediaType, digest, size, platform }: Descriptor,
  names: LayoutNames,
  more: Readonly<Record<string, string>> = {},
): readonly Descriptor[] {
  const target = { mediaType, digest, size, ...(platform && { platform }) };
  const entry = (imageName: string | undefined, refName: string | undefined): Descriptor => {
    const annotations = {
      ...(imageName !== undefined && { [annotationKeys.imageName]: imageName }),
      ...more,
      ...(refName !== undefined && { [annotationKeys.refName]: refName }),
    };
    return Object.keys(annotations).length === 0 ? target : { ...target, annotations };
  };
  if ('text' in names) {
    const full = fullNameOf(names.text);
    return [entry(full && formatReference(full), names.text)];
  }
  if (names.references.length === 0) return [entry(undefined, undefined)];
  return names.references.map((one) => entry(formatReference(one), one.tag));
}

/**
 * The references that an entry of somebody's index stands for. Told of with the reason and left out: what is no valid
 * reference, and one with a digest, which only the content itself may claim. A bare tag is no name and says nothing.
 */
export function referencesOf(
  { annotations }: Descriptor,
  leftOut: (name: string, why: string) => void,
): readonly Reference[] {
  const refName = annotations?.[annotationKeys.refName];
  const name = annotations?.[annotationKeys.imageName] ?? (refName && /[/:]/.test(refName) ? refName : undefined);
  if (name === undefined) return [];
  const reference = parsed(name);
  if (reference !== undefined && reference.digest === undefined) return [reference];
  leftOut(name, reference === undefined ? 'it is no valid reference' : 'a name with a digest cannot be given');
  return [];
}

/** `entries` beside what the index had: an entry goes when another one takes its name, or names what had no name. */
export function withEntries(index: Index, entries: readonly Descriptor[]): Index {
  const isReplaced = (old: Descriptor): boolean => {
    const [imageName, refName] = namesOf(old);
    if (imageName === undefined && refName === undefined) return entries.some((one) => one.digest === old.digest);
    return entries.some((one) => {
      const [newImageName, newRefName] = namesOf(one);
      if (imageName !== undefined && newImageName !== undefined) return imageName === newImageName;
      return refName !== undefined && refName === newRefName;
    });
  };
  return { ...index, manifests: [...index.manifests.filter((one) => !isReplaced(one)), ...entries] };
}

export const EMPTY_INDEX: Index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };

function namesOf({ annotations }: Descriptor): readonly [string | undefined, string | undefined] {
  return [annotations?.[annotationKeys.imageName], annotations?.[annotationKeys.refName]];
}

/** A text that is more than a tag: a bare word may be the name of a repository, but nearly always is a tag. */
function fullNameOf(text: string): Reference | undefined {
  return /[/:]/.test(text) ? parsed(text) : undefined;
}

function parsed(text: string): Reference | undefined {
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    if (error instanceof BuildError && error.code === 'REFERENCE_INVALID') return undefined;
    throw error;
  }
}
