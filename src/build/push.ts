import { BuildError } from '../base/errors.js';
import { makeManifest } from '../exporter/make-image.js';
import type { Compression } from '../exporter/layer-form.js';
import { PushDestinations, type Pushed } from '../exporter/push-destinations.js';
import { pushLayers } from '../exporter/push-layers.js';
import type { JobContext } from '../job/context.js';
import { compressionLevels } from '../layer/compression.js';
import { isManifestType, isPlainLayer, mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { hostPlatform } from '../oci/platform.js';
import { readImage, type Image } from '../oci/image.js';
import { familiarReference, parseReference, withDefaultTag, type Reference } from '../oci/reference.js';
import type { Registries } from '../registry/types.js';
import { Origins } from '../store/origins.js';
import type { Store } from '../store/store.js';
import { LazyRegistries } from './lazy-registries.js';
import { withJob, type JobOptions } from './open-job.js';

export interface PushOptions extends JobOptions {
  /** Names of images of the store, each of which is also where it goes. */
  readonly images: readonly string[];
  /** Of the layers; default: gzip for those that lie uncompressed, the others as they are. */
  readonly compression?: Compression;
  /** Layers that are compressed otherwise are compressed anew. */
  readonly forceCompression?: boolean;
  /** Plain HTTP and unverified TLS are taken too. */
  readonly insecure?: boolean;
}

/**
 * Pushes images of the store to where their names say; an image of several names is compressed and sent once. What was
 * pulled, and what is an index, is pushed byte for byte; another image gets a manifest of compressed layers. Gives what
 * the registries now have. Throws IMAGE_NOT_FOUND, REGISTRY_DENIED, REGISTRY_FAILED, BLOB_NOT_FOUND.
 */
export async function pushImages(options: PushOptions): Promise<readonly Pushed[]> {
  const registries = new LazyRegistries(process.env);
  try {
    return await withJob(options, 'pushing images', async ({ store, job }) => {
      const pushed: Pushed[] = [];
      for (const { target, names } of await targetsOf(options.images, store)) {
        const push = new ImagePush(target, names, options, store, await registries.get());
        pushed.push(...(await push.run(job)));
      }
      return pushed;
    });
  } finally {
    await registries.close();
  }
}

interface Target {
  readonly target: Descriptor;
  readonly names: Reference[];
}

/** The images, each with all the names that it is to be pushed to. */
async function targetsOf(names: readonly string[], store: Store): Promise<readonly Target[]> {
  const found = new Map<string, Target>();
  for (const name of names) {
    const reference = withDefaultTag(parseReference(name));
    const target = await store.images.resolve(reference);
    if (!target) {
      throw new BuildError('IMAGE_NOT_FOUND', `no image \`${familiarReference(reference)}\` in the store`, {
        hint: `give an image that name first: \`slipway tag IMAGE ${name}\`; \`slipway images\` lists what there is`,
      });
    }
    const known = found.get(target.digest) ?? { target, names: [] };
    found.set(target.digest, known);
    known.names.push(reference);
  }
  return [...found.values()];
}

class ImagePush {
  readonly #target: Descriptor;
  readonly #options: PushOptions;
  readonly #store: Store;
  readonly #destinations: PushDestinations;

  constructor(
    target: Descriptor,
    names: readonly Reference[],
    options: PushOptions,
    store: Store,
    registries: Registries,
  ) {
    this.#target = target;
    this.#options = options;
    this.#store = store;
    this.#destinations = PushDestinations.open(names, registries, store, options);
  }

  async run(job: JobContext): Promise<readonly Pushed[]> {
    const { blobs } = this.#store;
    const image = await this.#toForm(job);
    if (!image) return await this.#destinations.send(this.#target, blobs, [], job);
    const { manifest, layers } = await this.#formed(image, job);
    return await this.#destinations.send(manifest, blobs, layers, job);
  }

  /** The image, if its layers are not to be sent as they are. */
  async #toForm(job: JobContext): Promise<Image | undefined> {
    if (!isManifestType(this.#target.mediaType)) {
      if (this.#options.compression === undefined) return undefined;
      throw new BuildError('USAGE', `\`${this.#target.digest}\` is an index: its images are pushed as they are`, {
        hint: 'leave out `--compression`',
      });
    }
    const image = await readImage(this.#store.blobs, this.#target, hostPlatform(), job);
    if (this.#options.compression !== undefined) return image;
    const isPlain = image.manifest.layers.some(({ mediaType }) => isPlainLayer(mediaType));
    return isPlain && !(await new Origins(this.#store.records).isKnown(this.#target.digest)) ? image : undefined;
  }

  async #formed({ manifest, config, descriptor }: Image, job: JobContext): ReturnType<typeof makeManifest> {
    const { compression = 'gzip', forceCompression = false } = this.#options;
    const family = descriptor.mediaType === mediaTypes.dockerManifest ? 'docker' : 'oci';
    const facts = manifest.layers.map((blob, i) => ({ diffId: config.rootfs.diff_ids[i]!, blob }));
    const options = {
      type: compression,
      level: compression === 'uncompressed' ? 0 : compressionLevels[compression].usual,
      force: forceCompression,
      mediaTypes: family,
    } as const;
    const layers = await pushLayers(facts, options, this.#store, this.#destinations.repositories, job);
    const mediaType = family === 'docker' ? mediaTypes.dockerConfig : mediaTypes.config;
    const own = { ...manifest.config, mediaType };
    return await makeManifest(own, layers, this.#store.blobs, manifest.annotations, family);
  }
}
