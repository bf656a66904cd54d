import { allOrAbort, type Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { OnceMap } from '../base/once-map.js';
import type { JobContext } from '../job/context.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { readImage, type Image } from '../oci/image.js';
import type { Platform } from '../oci/platform.js';
import {
  familiarReference,
  formatReference,
  parseReference,
  withDefaultTag,
  type Reference,
} from '../oci/reference.js';
import type { Registries, Repository } from '../registry/types.js';
import { ImageLayout } from '../store/layout.js';
import type { Store } from '../store/store.js';
import { TagMemory } from '../store/tag-memory.js';
import type { LayoutPlace } from '../transfer/location.js';
import type { ComingLayer, RefId } from '../worker/machine.js';
import type { BringOptions } from '../worker/ops/source.js';
import { bringLayer, keptDocuments, type ImageOrigin } from './image-origin.js';

/** Where `--build-context name=…` says that an image comes from. */
export type ImageContext =
  | ({ readonly kind: 'layout' } & LayoutPlace)
  | { readonly kind: 'image'; readonly reference: string };

export interface BaseImagesOptions {
  readonly store: Store;
  readonly contexts?: ReadonlyMap<string, ImageContext>;
  /** Asked for what the store does not know. Without it, only the store and layouts count. */
  readonly registries?: { get(): Promise<Registries> };
  /** The registries are asked for every name, whatever the store has. */
  readonly pull?: boolean;
}

interface Resolved {
  readonly image: Image;
  readonly origin: ImageOrigin;
}

const STORE: ImageOrigin = { kind: 'store' };

/**
 * The images that a build stands on: found by name when the Dockerfile is read, brought into the store when something
 * needs their files. What a name stood for at a registry is remembered.
 */
export class BaseImages {
  readonly #options: BaseImagesOptions;
  readonly #store: Store;
  readonly #tags: TagMemory;
  readonly #resolved = new Map<string, Resolved>();
  readonly #coming = new OnceMap<Digest, void>();

  constructor(options: BaseImagesOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#tags = new TagMemory(options.store.records);
  }

  /**
   * The image that `name` stands for: by a named context, in the store, as it is remembered, at its registry. Throws
   * BASE_NOT_FOUND, REFERENCE_INVALID, and what the registry client throws.
   */
  async resolve(name: string, platform: Platform, cancel: Cancel): Promise<ResolvedBase> {
    cancel.signal.throwIfAborted();
    const contexts = this.#options.contexts;
    const context = contexts?.get(name) ?? contexts?.get(normalizeContextName(name));
    if (context?.kind === 'layout') {
      const layout = new ImageLayout(context.dir);
      const image = await readImage(layout, await layout.resolve(context), platform, cancel);
      return this.#remember(`oci-layout://${name}`, { image, origin: { kind: 'layout', layout } });
    }
    const reference = withDefaultTag(parseReference(context?.reference ?? name));
    const resolved = await this.#find(reference, platform, cancel);
    return this.#remember(`docker-image://${formatReference(reference)}`, resolved);
  }

  async #find(reference: Reference, platform: Platform, cancel: Cancel): Promise<Resolved> {
    const { pull, registries } = this.#options;
    const { blobs, images } = this.#store;
    const own = pull ? undefined : await images.resolve(reference);
    if (own) return { image: await readImage(blobs, own, platform, cancel), origin: STORE };
    // A digest says the same thing at any time.
    const known = pull && reference.digest === undefined ? undefined : await this.#tags.recall(reference);
    if (known) await this.#store.holding.hold('blob', known.digest);
    if (!registries) {
      const image = known && (await this.#kept(known, platform, cancel));
      if (image) return { image, origin: STORE };
      throw new BuildError('BASE_NOT_FOUND', `${formatReference(reference)}: not found`, {
        hint:
          'no registry is asked (`--offline`, SLIPWAY_OFFLINE): pull, load or build it first, ' +
          'or point to it with `--build-context NAME=oci-layout://DIR`',
      });
    }
    const open = async (): Promise<Repository> => (await registries.get()).repository(reference, { use: 'pull' });
    const target = known ?? (await this.#ask(reference, await open(), cancel));
    const image = await readImage(keptDocuments(blobs, open), target, platform, cancel);
    const { registry, repository } = reference;
    return { image, origin: { kind: 'registry', name: familiarReference({ registry, repository }), open } };
  }

  /** The image, if its documents are all in the store. */
  async #kept(target: Descriptor, platform: Platform, cancel: Cancel): Promise<Image | undefined> {
    try {
      return await readImage(this.#store.blobs, target, platform, cancel);
    } catch (error) {
      if (error instanceof BuildError && error.code === 'BLOB_NOT_FOUND') return undefined;
      throw error;
    }
  }

  async #ask(reference: Reference, repository: Repository, cancel: Cancel): Promise<Descriptor> {
    try {
      const target = await repository.resolve(reference, cancel);
      await this.#tags.remember(reference, target);
      return target;
    } catch (error) {
      if (!(error instanceof BuildError) || error.code !== 'IMAGE_NOT_FOUND') throw error;
      throw new BuildError('BASE_NOT_FOUND', `${formatReference(reference)}: not found`, {
        ...(error.hint !== undefined && { hint: error.hint }),
        cause: error,
      });
    }
  }

  #remember(prefix: string, resolved: Resolved): ResolvedBase {
    const { descriptor, config } = resolved.image;
    const source = `${prefix.replace(/@sha256:.*$/, '')}@${descriptor.digest}`;
    this.#resolved.set(source, resolved);
    return { source, digest: descriptor.digest, config };
  }

  /** Brings the layers into the store, and gives the ref that stands for them all. */
  async ensure(identifier: string, job: JobContext, options: BringOptions): Promise<RefId> {
    const resolved = this.#resolved.get(identifier);
    if (!resolved) throw new Error(`\`${identifier}\` was never resolved`);
    return await this.#ensure(resolved, job, options);
  }

  /** The same for an image of the store. */
  async ensureImage(image: Image, job: JobContext): Promise<RefId> {
    return await this.#ensure({ image, origin: STORE }, job, {});
  }

  async #ensure({ image, origin }: Resolved, job: JobContext, { unpackAhead }: BringOptions): Promise<RefId> {
    const { refs, holding } = this.#store;
    const layers = this.#layersOf(image);
    await holding.hold('blob', ...layers.map(({ layer }) => layer.blob.digest));
    await holding.hold('ref', ...layers.map(({ ref }) => ref));
    await this.#bring(layers, origin, job, unpackAhead);
    let parent: string | undefined;
    for (const { ref: id, layer } of layers) {
      if (!(await refs.load(id))) await refs.save({ id, ...(parent !== undefined && { parent }) });
      if (!(await refs.layer(id))) await refs.saveLayer(id, layer);
      parent = id;
    }
    return parent ?? null;
  }

  /** Lowest first. */
  #layersOf({ manifest, config }: Image): readonly ComingLayer[] {
    let parent: string | undefined;
    return manifest.layers.map(({ mediaType, digest, size }, i) => {
      const layer = { diffId: config.rootfs.diff_ids[i]!, blob: { mediaType, digest, size } };
      parent = this.#store.refs.layerRefId(parent, layer);
      return { ref: parent, layer };
    });
  }

  /** Brings the blobs that are missing. Then trees of the layers are begun meanwhile, but not waited for. */
  async #bring(
    layers: readonly ComingLayer[],
    origin: ImageOrigin,
    job: JobContext,
    unpackAhead: BringOptions['unpackAhead'],
  ): Promise<void> {
    const { blobs } = this.#store;
    const missing: Descriptor[] = [];
    for (const { layer } of layers) if (!(await blobs.has(layer.blob, job))) missing.push(layer.blob);
    if (missing.length === 0) return;
    const stop = new AbortController();
    const signal = AbortSignal.any([job.signal, stop.signal]);
    // What goes wrong there, whoever needs the trees finds out again.
    void unpackAhead?.(layers, { signal }).catch(() => undefined);
    const bring = missing.map((layer) => async (signal: AbortSignal) => {
      await this.#coming.run(layer.digest, signal, async (signal) => {
        if (!(await blobs.has(layer, { signal }))) await bringLayer(layer, origin, this.#store, { ...job, signal });
      });
    });
    try {
      await allOrAbort(job.signal, bring);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  }
}

export interface ResolvedBase {
  /** LLB identifier, with the digest. */
  readonly source: string;
  readonly digest: Digest;
  readonly config: Image['config'];
}

/** As BuildKit compares names of contexts: `node:latest`, `docker.io/library/node` and `node` are one. */
export function normalizeContextName(name: string): string {
  try {
    return familiarReference(parseReference(name)).replace(/:latest$/, '');
  } catch (error) {
    if (error instanceof BuildError && error.code === 'REFERENCE_INVALID') return name;
    throw error;
  }
}
