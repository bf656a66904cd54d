import { readFileSync } from 'node:fs';
import { replaceFile } from '../base/atomic-file.js';
import { BuildError, hasCode } from '../base/errors.js';
import type { Cancel } from '../base/abort.js';
import { annotationKeys, mediaTypes, type Descriptor, type Index } from '../oci/descriptor.js';
import { parseIndex } from '../oci/documents.js';
import { formatReference, type Reference } from '../oci/reference.js';
import { withLock } from './lock.js';
import type { Holding } from './lease-file.js';
import type { StorePaths } from './paths.js';

/** A name and what it stands for; images without a name have none. */
export interface NamedImage {
  readonly name: string | undefined;
  readonly descriptor: Descriptor;
}

/** Names of images: the `index.json` of the store's image layout, replaced under a lock. */
export class ImageStore {
  readonly #paths: StorePaths;
  readonly #holding: Holding;

  constructor(paths: StorePaths, holding: Holding) {
    this.#paths = paths;
    this.#holding = holding;
  }

  async list(): Promise<readonly NamedImage[]> {
    const { manifests } = await this.#index();
    return manifests.map((descriptor) => ({ name: descriptor.annotations?.[annotationKeys.imageName], descriptor }));
  }

  /** The descriptor under a full name; undefined when there is none. The image is held by this job from then on. */
  async resolve(reference: Reference): Promise<Descriptor | undefined> {
    const name = formatReference(reference);
    const found = await this.held((images) => images.find((one) => one.name === name)?.descriptor);
    return found && withoutNames(found);
  }

  /** What `choose` chooses, held by this job. It is asked again when the image lost its entry meanwhile. */
  async held(choose: (images: readonly NamedImage[]) => Descriptor | undefined): Promise<Descriptor | undefined> {
    for (;;) {
      const found = choose(await this.list());
      if (!found) return undefined;
      await this.#holding.hold('blob', found.digest);
      if ((await this.list()).some(({ descriptor }) => descriptor.digest === found.digest)) return found;
    }
  }

  /** Makes the names stand for `target`; an image that loses its last name so stays, nameless, as Docker has it. */
  async tag(target: Descriptor, references: readonly Reference[], opts: Cancel): Promise<void> {
    const names = references.map(formatReference);
    const wanted = names.length === 0 ? [named(target, undefined)] : names.map((name) => named(target, name));
    await this.#update(opts, (manifests) => {
      if (names.length === 0 && manifests.some((one) => one.digest === target.digest)) return manifests;
      const has = (one: Descriptor): boolean =>
        manifests.some((other) => other.digest === one.digest && nameOf(other) === nameOf(one));
      if (wanted.every(has)) return manifests;
      const replaced = manifests.filter((one) => names.includes(nameOf(one) ?? ''));
      const kept = manifests.filter((one) => !replaced.includes(one));
      const orphans = replaced
        .filter((one) => one.digest !== target.digest && !kept.some((other) => other.digest === one.digest))
        .map((one) => named(one, undefined));
      const nameless = kept.filter((one) => !(one.digest === target.digest && nameOf(one) === undefined));
      return [...nameless, ...unique(orphans), ...wanted];
    });
  }

  /** Takes names away, or a nameless image by its digest. Gives the descriptors that have no entry left. */
  async remove(match: (image: NamedImage) => boolean, opts: Cancel): Promise<readonly Descriptor[]> {
    let gone: readonly Descriptor[] = [];
    await this.#update(opts, (manifests) => {
      const removed = manifests.filter((one) => match({ name: nameOf(one), descriptor: one }));
      const kept = manifests.filter((one) => !removed.includes(one));
      gone = unique(removed.filter((one) => !kept.some((other) => other.digest === one.digest)));
      return removed.length === 0 ? manifests : kept;
    });
    return gone;
  }

  async #index(): Promise<Index> {
    return parseIndex(this.#read(), "the store's `index.json`");
  }

  #read(): Buffer {
    try {
      return readFileSync(this.#paths.index);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      throw new BuildError('STORE_INVALID', "the store's `index.json` is missing", {
        hint: '`slipway fsck --repair` lists the images that are there again',
        cause: error,
      });
    }
  }

  async #update(
    { signal }: Cancel,
    change: (manifests: readonly Descriptor[]) => readonly Descriptor[],
  ): Promise<void> {
    const before = await this.#index();
    if (change(before.manifests) === before.manifests) return;
    await withLock(this.#paths.lock('index'), signal, async () => {
      const index = await this.#index();
      const manifests = change(index.manifests);
      if (manifests === index.manifests) return;
      const content = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }, undefined, 2);
      await replaceFile(this.#paths.index, content, this.#paths.temp(this.#holding.leaseId));
    });
  }
}

function nameOf(descriptor: Descriptor): string | undefined {
  return descriptor.annotations?.[annotationKeys.imageName];
}

function named(target: Descriptor, name: string | undefined): Descriptor {
  const bare = withoutNames(target);
  if (name === undefined) return bare;
  // skopeo and umoci look an image up by this annotation as it stands, so it holds the whole name, not the tag alone.
  const annotations = { ...bare.annotations, [annotationKeys.imageName]: name, [annotationKeys.refName]: name };
  return { ...bare, annotations };
}

function withoutNames(descriptor: Descriptor): Descriptor {
  const { annotations, ...rest } = descriptor;
  const kept = Object.entries(annotations ?? {}).filter(
    ([key]) => key !== annotationKeys.imageName && key !== annotationKeys.refName,
  );
  return kept.length === 0 ? rest : { ...rest, annotations: Object.fromEntries(kept) };
}

function unique(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(descriptors.map((one) => [one.digest, one])).values()];
}
