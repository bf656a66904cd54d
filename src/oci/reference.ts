import { BuildError } from '../base/errors.js';
import { isDigest, type Digest } from './digest.js';

/** `registry/repository:tag@digest`, with Docker's defaults filled in. */
export interface Reference {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DEFAULT_REGISTRY = 'docker.io';
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DOMAIN =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;

/**
 * Reads a reference as Docker does (distribution/reference, "normalized named"): `node` is
 * `docker.io/library/node`. Neither tag nor digest is added. Throws BuildError REFERENCE_INVALID.
 */
export function parseReference(text: string): Reference {
  let rest = text;
  let digest: Digest | undefined;
  const at = rest.indexOf('@');
  if (at >= 0) {
    const part = rest.slice(at + 1);
    if (!isDigest(part)) throw invalid(text, 'the part after `@` is not a sha256 digest');
    digest = part;
    rest = rest.slice(0, at);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(':');
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1);
    if (!TAG.test(tag)) throw invalid(text, `\`${tag}\` is not a valid tag`);
    rest = rest.slice(0, colon);
  }
  const slash = rest.indexOf('/');
  const first = slash < 0 ? '' : rest.slice(0, slash);
  const isDomain = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  let registry = isDomain ? first : DEFAULT_REGISTRY;
  let repository = isDomain ? rest.slice(slash + 1) : rest;
  if (registry === 'index.docker.io') registry = DEFAULT_REGISTRY;
  if (registry === DEFAULT_REGISTRY && !repository.includes('/')) repository = `library/${repository}`;
  if (!DOMAIN.test(registry)) throw invalid(text, `\`${registry}\` is not a host name`);
  if (repository !== repository.toLowerCase()) throw invalid(text, 'the repository name must be lower case');
  if (!repository.split('/').every((part) => COMPONENT.test(part))) throw invalid(text);
  if (repository.length > 255) throw invalid(text, 'the repository name is longer than 255 characters');
  return { registry, repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/**
 * A name that is to be given to an image, as `parseReference` reads it. Throws REFERENCE_INVALID also for one with a digest:
 * that is what the image has, not what it is called.
 */
export function parseTag(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest === undefined) return reference;
  throw new BuildError('REFERENCE_INVALID', `an image cannot be called \`${text}\`: a digest cannot be chosen`, {
    hint: 'leave out what follows `@`',
  });
}

function invalid(text: string, why?: string): BuildError {
  return new BuildError('REFERENCE_INVALID', `invalid image reference \`${text}\`${why ? `: ${why}` : ''}`, {
    hint: 'a reference looks like `name:tag`, `registry/repository:tag` or `name@sha256:…`',
  });
}

/** With `:latest` added when there is neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** In full: `docker.io/library/node:20`. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}

/** As people write it: `node:20`. */
export function familiarReference(reference: Reference): string {
  const full = formatReference(reference);
  if (reference.registry !== DEFAULT_REGISTRY) return full;
  const short = full.slice(DEFAULT_REGISTRY.length + 1);
  return short.startsWith('library/') ? short.slice('library/'.length) : short;
}
