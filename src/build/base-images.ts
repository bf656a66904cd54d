import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import type { Digest } from '../oci/digest.js';
import { readImage, type Image } from '../oci/image.js';
import type { Platform } from '../oci/platform.js';
import { familiarReference, formatReference, parseReference, withDefaultTag } from '../oci/reference.js';
import { ImageLayout } from '../store/layout.js';
import type { Lease } from '../store/leases.js';
import type { Store } from '../store/store.js';
import type { RefId } from '../worker/machine.js';

/** Where `--build-context name=…` says that an image comes from. */
export type ImageContext =
  | { readonly kind: 'layout'; readonly dir: string; readonly tag?: string; readonly digest?: Digest }
  | { readonly kind: 'image'; readonly reference: string };

interface Resolved {
  readonly image: Image;
  /** Absent when the image is in the store already. */
  readonly layout?: ImageLayout;
}

/**
 * The images that a build stands on: found by name when the Dockerfile is read, brought into the store when something
 * needs their files.
 */
export class BaseImages {
  readonly #store: Store;
  readonly #lease: Lease;
  readonly #pull: boolean;
  readonly #contexts: ReadonlyMap<string, ImageContext>;
  readonly #resolved = new Map<string, Resolved>();

  /** `pull`: nothing may be taken from the store by name. */
  constructor(store: Store, lease: Lease, contexts: ReadonlyMap<string, ImageContext>, pull = false) {
    this.#store = store;
    this.#pull = pull;
    this.#lease = lease;
    this.#contexts = contexts;
  }

  /** The image that `name` stands for, from a named context or the store. Throws BASE_NOT_FOUND, REFERENCE_INVALID. */
  async resolve(name: string, platform: Platform, cancel: Cancel): Promise<ResolvedBase> {
    cancel.signal.throwIfAborted();
    const context = this.#contexts.get(name) ?? this.#contexts.get(normalizeContextName(name));
    if (context?.kind === 'layout') {
      const layout = new ImageLayout(context.dir);
      const image = await readImage(layout, await layout.resolve(context), platform, cancel);
      return this.#remember(`oci-layout://${name}`, { image, layout });
    }
    const reference = withDefaultTag(parseReference(context?.reference ?? name));
    if (this.#pull) {
      throw new BuildError('UNSUPPORTED', `${familiarReference(reference)} cannot be pulled by this version`, {
        hint: `leave out \`--pull\`, or point to it with \`--build-context ${name}=oci-layout://DIR\``,
      });
    }
    const target = await this.#store.images.resolve(reference);
    if (!target) {
      throw new BuildError('BASE_NOT_FOUND', `${familiarReference(reference)}: not found`, {
        hint:
          'this version does not pull from registries; build or load the image first, ' +
          `or point to it with \`--build-context ${name}=oci-layout://DIR\``,
      });
    }
    const image = await readImage(this.#store.blobs, target, platform, cancel);
    return this.#remember(`docker-image://${formatReference(reference)}`, { image });
  }

  #remember(prefix: string, resolved: Resolved): ResolvedBase {
    const { descriptor, config } = resolved.image;
    const source = `${prefix.replace(/@sha256:.*$/, '')}@${descriptor.digest}`;
    this.#resolved.set(source, resolved);
    return { source, digest: descriptor.digest, config };
  }

  /** Brings the layers into the store, and gives the ref that stands for them all. */
  async ensure(identifier: string, job: JobContext): Promise<RefId> {
    const resolved = this.#resolved.get(identifier);
    if (!resolved) throw new Error(`\`${identifier}\` was never resolved`);
    return await this.#ensure(resolved, job);
  }

  /** The same for an image of the store. */
  async ensureImage(image: Image, job: JobContext): Promise<RefId> {
    return await this.#ensure({ image }, job);
  }

  async #ensure(resolved: Resolved, job: JobContext): Promise<RefId> {
    const { refs, blobs } = this.#store;
    const { manifest, config } = resolved.image;
    let parent: string | undefined;
    for (const [i, layer] of manifest.layers.entries()) {
      const diffId = config.rootfs.diff_ids[i]!;
      const { mediaType, digest, size } = layer;
      const fact = { diffId, blob: { mediaType, digest, size } };
      const id = refs.layerRefId(parent, fact);
      this.#lease.hold('ref', id);
      this.#lease.hold('blob', digest);
      if (!(await refs.load(id))) await refs.save({ id, ...(parent !== undefined && { parent }) });
      if ((await blobs.size(digest)) !== size) await this.#bringIn(resolved, i, job);
      if (!(await refs.layer(id))) await refs.saveLayer(id, fact);
      parent = id;
    }
    return parent ?? null;
  }

  async #bringIn({ image, layout }: Resolved, index: number, job: JobContext): Promise<void> {
    const layer = image.manifest.layers[index]!;
    if (!layout) throw new BuildError('BLOB_NOT_FOUND', `layer \`${layer.digest}\` is missing in the store`);
    const item = `${layer.digest.slice(7, 19)} from ${layout.dir}`;
    const report = (current: number, done: boolean): void =>
      job.emit({ type: 'transfer', item, current, total: layer.size, done, at: job.now() });
    report(0, false);
    await this.#store.blobs.copyIn(layout.path(layer.digest), layer, job);
    report(layer.size, true);
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
