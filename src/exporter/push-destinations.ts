import { allOrAbort } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import type { ContentSource } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { formatReference, type Reference } from '../oci/reference.js';
import type { Registries, Repository } from '../registry/types.js';
import { Origins } from '../store/origins.js';
import type { Store } from '../store/store.js';
import { copyGraph } from '../transfer/copy-graph.js';

/** A name that a registry now has, and what it stands for. A push by digest alone has no tag. */
export interface Pushed {
  readonly name: string;
  readonly digest: Digest;
}

export interface PushOptions {
  /** Plain HTTP and unverified TLS are taken too. */
  readonly insecure?: boolean;
  /** No tag is moved: what is pushed is known by its digest. */
  readonly byDigest?: boolean;
  /** A tag that a registry refuses to move, because it moves none, stays what it was; it is not among what was pushed. */
  readonly keepsImmutable?: boolean;
}

/** What Artifact Registry and ECR say of a tag that stands for something else and is not to be moved. */
const IMMUTABLE = [
  'The repository has enabled tag immutability',
  'cannot be overwritten because the repository is immutable',
];

interface Destination {
  readonly repository: Repository;
  readonly tags: readonly string[];
}

/** What was brought to the destinations before the rest of an image. */
export interface AlreadySent {
  readonly sent: readonly Descriptor[];
  /** Repositories that had a part of it not: there can be no manifest of it. */
  readonly isNewTo?: readonly Repository[];
  /** The root has no subject, which a registry would have to be told of apart: whoever has it under a tag has all. */
  readonly hasNoSubject?: boolean;
}

interface PushName {
  readonly name: Pick<Reference, 'registry' | 'repository'>;
  /** None for a push by digest. */
  readonly tags: ReadonlySet<string>;
}

/**
 * The repositories that references name, each with its tags. Throws USAGE when there is no reference, for one that ends
 * in a digest, and for a tag where the digest is to be the only name.
 */
export function pushNames(references: readonly Reference[], byDigest: boolean): readonly PushName[] {
  if (references.length === 0) {
    throw new BuildError('USAGE', 'tag is needed when pushing to registry', { hint: 'name the image with `-t`' });
  }
  const found = new Map<string, PushName & { readonly tags: Set<string> }>();
  for (const reference of references) {
    const { registry, repository, tag, digest } = reference;
    const full = formatReference(reference);
    if (digest !== undefined) {
      throw new BuildError('USAGE', `cannot push to \`${full}\`: a digest cannot be chosen`, { hint: 'give a tag' });
    }
    if (byDigest && tag !== undefined) {
      throw new BuildError('USAGE', `can't push tagged ref ${full} by digest`, {
        hint: 'leave out the tag, or `push-by-digest`',
      });
    }
    const key = `${registry}/${repository}`;
    const known = found.get(key) ?? { name: { registry, repository }, tags: new Set() };
    found.set(key, known);
    if (!byDigest) known.tags.add(tag ?? 'latest');
  }
  return [...found.values()];
}

/** The repositories that one image is pushed to, each once however many tags it gets. */
export class PushDestinations {
  readonly #all: readonly Destination[];
  readonly #store: Store;
  readonly #keepsImmutable: boolean;

  private constructor(all: readonly Destination[], store: Store, keepsImmutable: boolean) {
    this.#all = all;
    this.#store = store;
    this.#keepsImmutable = keepsImmutable;
  }

  /** Nothing is asked of a registry yet. Throws as `pushNames`. */
  static open(
    references: readonly Reference[],
    registries: Registries,
    store: Store,
    { insecure = false, byDigest = false, keepsImmutable = false }: PushOptions,
  ): PushDestinations {
    const byRepository = pushNames(references, byDigest);
    const origins = new Origins(store.records);
    const all = byRepository.map(({ name, tags }) => {
      const others = async (digest: Digest): Promise<readonly string[]> =>
        (await origins.of(digest, name.registry)).filter((one) => one !== name.repository);
      return {
        repository: registries.repository(name, { use: 'push', insecure, origins: others }),
        tags: [...tags],
      };
    });
    return new PushDestinations(all, store, keepsImmutable);
  }

  get repositories(): readonly Repository[] {
    return this.#all.map(({ repository }) => repository);
  }

  /**
   * Sends `root` with all that it leads to, but for what was sent, and then moves the tags: to all destinations at the
   * same time. The first failure ends the rest.
   */
  async send(
    root: Descriptor,
    source: ContentSource,
    already: AlreadySent,
    job: JobContext,
  ): Promise<readonly Pushed[]> {
    const pushed = await allOrAbort(
      job.signal,
      this.#all.map((destination) => async (signal) => {
        const tags = await this.#sendTo(destination, root, source, already, { ...job, signal });
        return destination.tags.length > 0 && tags.length === 0 ? [] : namesOf({ ...destination, tags }, root.digest);
      }),
    );
    return pushed.flat();
  }

  /** Gives the tags that stand for it now. */
  async #sendTo(
    { repository, tags }: Destination,
    root: Descriptor,
    source: ContentSource,
    already: AlreadySent,
    job: JobContext,
  ): Promise<readonly string[]> {
    const sent = new Set<string>(already.sent.map(({ digest }) => digest));
    const origins = new Origins(this.#store.records);
    const only = ({ digest }: Descriptor): boolean => !sent.has(digest);
    const isThere = !already.isNewTo?.includes(repository) && (await repository.has(root, job));
    // A registry that is given a manifest under a tag has it under its digest as well; unless the tag must not be moved.
    const leavesRoot = (already.hasNoSubject ?? false) && tags.length > 0 && !this.#keepsImmutable;
    if (!isThere) {
      await copyGraph(source, repository, root, { job, doing: 'pushing', sinkIsClosed: true, only, leavesRoot });
    }
    for (const { digest } of already.sent) await origins.remember(digest, repository);
    const standing: string[] = [];
    for (const tag of tags) {
      const stands = isThere && (await digestAt(repository, tag, job)) === root.digest;
      if (stands || (await this.#move(tag, repository, root, source, job))) standing.push(tag);
    }
    return standing;
  }

  /** False for a tag that stays what it was. */
  async #move(
    tag: string,
    repository: Repository,
    root: Descriptor,
    source: ContentSource,
    job: JobContext,
  ): Promise<boolean> {
    try {
      await repository.tag(root, tag, source, job);
      return true;
    } catch (error) {
      const isImmutable = error instanceof BuildError && IMMUTABLE.some((words) => error.message.includes(words));
      if (this.#keepsImmutable && isImmutable) return false;
      throw error;
    }
  }
}

/** What a tag stands for now; undefined when there is none. */
async function digestAt(repository: Repository, tag: string, job: JobContext): Promise<Digest | undefined> {
  try {
    return (await repository.resolve({ tag }, job)).digest;
  } catch (error) {
    if (error instanceof BuildError && error.code === 'IMAGE_NOT_FOUND') return undefined;
    throw error;
  }
}

function namesOf({ repository, tags }: Destination, digest: Digest): readonly Pushed[] {
  const name = { registry: repository.registry, repository: repository.repository };
  if (tags.length === 0) return [{ name: formatReference({ ...name, digest }), digest }];
  return tags.map((tag) => ({ name: formatReference({ ...name, tag }), digest }));
}
