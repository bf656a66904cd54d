import path from 'node:path';
import { BuildError } from '../base/errors.js';
import { isWindows } from '../base/platform.js';
import { parseDigest, type Digest } from '../oci/digest.js';
import { parseReference, withDefaultTag, type Reference } from '../oci/reference.js';

/** An image of a layout; with neither tag nor digest, its latest or only one. */
export interface LayoutPlace {
  readonly dir: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Where an image is, or is to be copied. Paths are absolute, but for `-`: stdin or stdout. */
export type Location =
  | { readonly kind: 'registry'; readonly reference: Reference }
  | ({ readonly kind: 'layout' } & LayoutPlace)
  | { readonly kind: 'oci-archive'; readonly file: string; readonly tag?: string }
  | { readonly kind: 'docker-archive'; readonly file: string; readonly tag?: string }
  | { readonly kind: 'store'; readonly name: string };

const FORMS = '`docker://NAME`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME]`, `store:NAME`';

/**
 * Reads a location as skopeo writes it; a bare reference is one of a registry. `oci-layout://DIR[:TAG][@DIGEST]` is
 * taken too, as `--build-context` has it. Throws USAGE and REFERENCE_INVALID.
 */
export function parseLocation(text: string): Location {
  const scheme = /^(docker:\/\/|oci-layout:\/\/|oci:|oci-archive:|docker-archive:|store:)(.*)$/s.exec(text);
  if (!scheme) return registry(text);
  const [, kind, rest = ''] = scheme;
  if (rest === '') throw new BuildError('USAGE', `\`${text}\` names nothing`, { hint: `locations are: ${FORMS}` });
  switch (kind) {
    case 'docker://':
      return registry(rest);
    case 'oci-layout://':
      return { kind: 'layout', ...parseLayoutPlace(rest) };
    case 'oci:': {
      const [dir, tag] = fileAndTag(text, rest);
      return { kind: 'layout', dir, ...tag };
    }
    case 'store:':
      return { kind: 'store', name: rest };
    default: {
      const [file, tag] = fileAndTag(text, rest);
      return { kind: kind === 'oci-archive:' ? 'oci-archive' : 'docker-archive', file, ...tag };
    }
  }
}

function registry(text: string): Location {
  return { kind: 'registry', reference: withDefaultTag(parseReference(text)) };
}

/** `DIR[:TAG][@DIGEST]`: the tag begins at the last colon after the last slash. The directory is made absolute. */
export function parseLayoutPlace(text: string): LayoutPlace {
  const [rest = '', digest] = text.split('@') as [string, string?];
  const colon = rest.lastIndexOf(':');
  const hasTag = colon > Math.max(rest.lastIndexOf('/'), isWindows ? rest.lastIndexOf('\\') : -1);
  const dir = path.resolve(hasTag ? rest.slice(0, colon) : rest);
  return {
    dir,
    ...(hasTag && { tag: rest.slice(colon + 1) }),
    ...(digest !== undefined && { digest: parseDigest(digest) }),
  };
}

/** As skopeo: the first colon ends the path, since a name may have more of them; on Windows not that of a drive. */
function fileAndTag(text: string, rest: string): readonly [string, { readonly tag?: string }] {
  const drive = isWindows && /^[a-zA-Z]:[\\/]/.test(rest) ? 'C:'.length : 0;
  const colon = rest.indexOf(':', drive);
  const file = colon < 0 ? rest : rest.slice(0, colon);
  if (file === '' || colon === rest.length - 1) {
    throw new BuildError('USAGE', `\`${text}\` has an empty ${file === '' ? 'path' : 'name'}`, {
      hint: `locations are: ${FORMS}`,
    });
  }
  return [file === '-' ? file : path.resolve(file), colon < 0 ? {} : { tag: rest.slice(colon + 1) }];
}
