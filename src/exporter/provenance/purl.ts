import { formatPlatform, normalizePlatform, type Platform } from '../../oci/platform.js';
import { familiarReference, withDefaultTag, type Reference } from '../../oci/reference.js';

/** A package URL of an image: `pkg:docker/NAME@TAG?platform=linux%2Famd64`; `oci` is one that lies in a layout. */
export function imagePurl(type: 'docker' | 'oci', reference: Reference, platform: Platform): string {
  const { registry, repository } = reference;
  const { tag, digest } = withDefaultTag(reference);
  const name = familiarReference({ registry, repository }).split('/').map(encodeURIComponent).join('/');
  const version = tag === undefined ? '' : `@${encodeURIComponent(tag)}`;
  const qualifiers = [
    ...(digest === undefined ? [] : [`digest=${digest}`]),
    `platform=${encodeURIComponent(formatPlatform(normalizePlatform(platform)))}`,
  ];
  return `pkg:${type}/${name}${version}?${qualifiers.join('&')}`;
}
