import { BuildError } from '../../base/errors.js';
import type { Edge, ExecOp, SourceOp, Vertex } from '../../llb/types.js';
import { topological } from '../../llb/vertex.js';
import { hexOf, parseDigest } from '../../oci/digest.js';
import { parseReference, type Reference } from '../../oci/reference.js';
import { redact } from '../../remote/redact.js';
import type { DigestSet, Lent, Material } from './predicate.js';
import { imagePurl } from './purl.js';

/** What a remote source was when it was read: a commit, or the bytes of a file; undefined for what the caller sent. */
export type Pin = (op: SourceOp) => Promise<DigestSet | undefined>;

/** What a graph reads, by kind, each thing once and in the order of its name. */
export interface Capture {
  readonly images: readonly Material[];
  readonly git: readonly Material[];
  readonly http: readonly Material[];
  /** Names of directories of the caller's, of which no digest is known. */
  readonly locals: readonly string[];
  readonly secrets: readonly Lent[];
  readonly ssh: readonly Lent[];
  /** Whether a process could reach a network. */
  readonly network: boolean;
}

/** Collects what `target` needs, as BuildKit's `captureProvenance` does. Addresses come without credentials. */
export async function captureGraph(target: Edge | undefined, pin: Pin): Promise<Capture> {
  const images = new Map<string, Material>();
  const git = new Map<string, Material>();
  const http = new Map<string, Material>();
  const locals = new Set<string>();
  const secrets = new Map<string, boolean>();
  const ssh = new Map<string, boolean>();
  let network = false;
  for (const vertex of target ? topological(target.vertex) : []) {
    const { op } = vertex;
    if (op.kind === 'exec') {
      network ||= op.network !== 'none';
      lend(op, secrets, ssh);
    }
    if (op.kind !== 'source') continue;
    const { identifier, attrs } = op;
    if (identifier.startsWith('local://')) locals.add(identifier.slice('local://'.length));
    else if (identifier.startsWith('git://')) {
      const uri = redact(gitUrl(op));
      const digest = await pin(op);
      if (digest) git.set(uri, { uri, digest });
      for (const id of [attrs['git.authtokensecret'], attrs['git.authheadersecret']]) {
        if (id !== undefined) remember(secrets, id, true);
      }
      if (attrs['git.mountsshsock'] !== undefined) remember(ssh, attrs['git.mountsshsock'], true);
    } else if (/^https?:/.test(identifier)) {
      const uri = redact(identifier);
      const digest = await pin(op);
      if (digest) http.set(uri, { uri, digest });
      else locals.add('context');
    } else {
      const material = imageMaterial(vertex, identifier);
      images.set(material.uri, material);
    }
  }
  return {
    images: sorted(images),
    git: sorted(git),
    http: sorted(http),
    locals: [...locals].sort(),
    secrets: sortedLoans(secrets),
    ssh: sortedLoans(ssh),
    network,
  };
}

/** Address of a repository with the name that was asked for in it. */
function gitUrl({ identifier, attrs }: SourceOp): string {
  const [address = '', fragment = ''] = identifier.split('#', 2);
  const remote = attrs['git.fullurl'] ?? `https://${address.slice('git://'.length)}`;
  const ref = fragment.split(':', 1)[0];
  return ref ? `${remote}#${ref}` : remote;
}

/** A tag that stands in the Dockerfile names the image, and the digest stands beside it; without a tag the digest names it. */
function imageMaterial({ platform }: Vertex, identifier: string): Material {
  const [, scheme, name = '', text = ''] = /^([a-z-]+):\/\/(.*)@(.*)$/s.exec(identifier) ?? [];
  const digest = parseDigest(text);
  // A named context may be for one platform: `node::linux/arm64`.
  const named = referenceOf(name.replace(/::.*$/s, ''));
  const type = scheme === 'oci-layout' ? 'oci' : 'docker';
  const uri = named && imagePurl(type, named.tag === undefined ? { ...named, digest } : named, platform);
  return { uri: uri ?? identifier, digest: { sha256: hexOf(digest) } };
}

/** A named context may have a name that no image could have. */
function referenceOf(name: string): Reference | undefined {
  try {
    return parseReference(name);
  } catch (error) {
    if (error instanceof BuildError && error.code === 'REFERENCE_INVALID') return undefined;
    throw error;
  }
}

function lend({ mounts }: ExecOp, secrets: Map<string, boolean>, ssh: Map<string, boolean>): void {
  for (const { mount } of mounts) {
    if (mount.type === 'secret') remember(secrets, mount.id, mount.optional);
    if (mount.type === 'ssh') remember(ssh, mount.id === '' ? 'default' : mount.id, mount.optional);
  }
}

/** What one step cannot do without is not optional. */
function remember(lent: Map<string, boolean>, id: string, optional: boolean): void {
  lent.set(id, optional && (lent.get(id) ?? true));
}

function sorted(materials: ReadonlyMap<string, Material>): readonly Material[] {
  return [...materials.values()].sort((a, b) => (a.uri < b.uri ? -1 : 1));
}

function sortedLoans(lent: ReadonlyMap<string, boolean>): readonly Lent[] {
  return [...lent]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, optional]) => ({ id, ...(optional && { optional: true as const }) }));
}
