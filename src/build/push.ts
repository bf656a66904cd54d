import { BuildError } from '../base/errors.js';
import { makeManifest } from '../exporter/make-image.js';
import type { Compression, CompressionOptions } from '../exporter/layer-form.js';
import { PushDestinations, type Pushed } from '../exporter/push-destinations.js';
import { pushLayers } from '../exporter/push-layers.js';
import type { JobContext } from '../job/context.js';
import { compressionLevels } from '../layer/compression.js';
import { isManifestType, isPlainLayer, mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { hostPlatform } from '../oci/platform.js';
import { readImage, type Image } from '../oci/image.js';
import { familiarReference, parseReference, withDefaultTag, type Reference } from '../oci/reference.js';
import { Origins } from '../store/origins.js';
import type { Store } from '../store/store.js';
import { LazyRegistries } from './lazy-registries.js';
import { withJob, type JobOptions } from './open-job.js';

export interface PushOptions extends JobOptions {
  /** Names of images of the store, each of which is also where it goes. */
  readonly images: readonly string[];
  /** The names are of repositories, each with all its tags that the store has. */
  readonly allTags?: boolean;
  /** Of the layers; default: gzip for those that lie uncompressed, the others as they are. */
  readonly compression?: Compression;
  /** Within `compressionLevels` of `compression`, or of gzip. */
  readonly compressionLevel?: number;
  /** Layers that are compressed otherwise are compressed anew. */
  readonly forceCompression?: boolean;
  /** Plain HTTP and unverified TLS are taken too. */
  readonly insecure?: boolean;
}

/**
 * Pushes images of the store to where their names say; an image of several names is compressed and sent once. What was
 * pulled, and what is an index, is pushed byte for byte; another image gets a manifest of compressed layers, unless they
 * are so already. Gives what the registries now have. Throws USAGE, IMAGE_NOT_FOUND, REGISTRY_DENIED, REGISTRY_FAILED,
 * BLOB_NOT_FOUND.
 */
export async function pushImages(options: PushOptions): Promise<readonly Pushed[]> {
  const form = formOf(options);
  const registries = new LazyRegistries(process.env);
  try {
    return await withJob(options, 'pushing images', async ({ store, job }) => {
      const pushed: Pushed[] = [];
      const references = await referencesOf(options, store);
      for (const { target, names } of await targetsOf(references, store)) {
        const push = new ImagePush(
          target,
          form,
          store,
          PushDestinations.open(names, await registries.get(), store, options),
        );
        pushed.push(...(await push.run(job)));
      }
      return pushed;
    });
  } finally {
    await registries.close();
  }
}

type Form = Omit<CompressionOptions, 'mediaTypes'>;

const DEFAULT_FORM: Form = { type: 'gzip', level: compressionLevels.gzip.usual, force: false };

/** The form that layers are to have; undefined for none in particular. Throws USAGE. */
function formOf({ compression, compressionLevel, forceCompression }: PushOptions): Form | undefined {
  if (compression === undefined && compressionLevel === undefined && !forceCompression) return undefined;
  const type = compression ?? 'gzip';
  const { least, most, usual } = compressionLevels[type === 'uncompressed' ? 'gzip' : type];
  const level = compressionLevel ?? usual;
  if (level < least || level > most) {
    throw new BuildError('USAGE', `the compression level must be ${least} to ${most}, not ${level}`);
  }
  return { type, level, force: forceCompression ?? false };
}

/** What is asked for by name, or all names of the repositories that are. Throws USAGE and IMAGE_NOT_FOUND. */
async function referencesOf({ images, allTags }: PushOptions, store: Store): Promise<readonly Reference[]> {
  const given = images.map(parseReference);
  if (!allTags) return given.map(withDefaultTag);
  const tagged = given.find(({ tag, digest }) => tag !== undefined || digest !== undefined);
  if (tagged) {
    const what = `\`${familiarReference(tagged)}\` has a tag or digest, and \`--all-tags\` takes names of repositories`;
    throw new BuildError('USAGE', what);
  }
  const known = (await store.images.list()).flatMap(({ name }) => (name === undefined ? [] : [parseReference(name)]));
  return given.flatMap((repository) => {
    const found = known.filter((one) => one.tag !== undefined && isSameRepository(one, repository));
    if (found.length > 0) return found;
    const what = `no image of \`${familiarReference(repository)}\` in the store`;
    throw new BuildError('IMAGE_NOT_FOUND', what, { hint: '`slipway images` lists what there is' });
  });
}

function isSameRepository(a: Reference, b: Reference): boolean {
  return a.registry === b.registry && a.repository === b.repository;
}

interface Target {
  readonly target: Descriptor;
  readonly names: Reference[];
}

/** The images, each with all the names that it is to be pushed to. */
async function targetsOf(references: readonly Reference[], store: Store): Promise<readonly Target[]> {
  const found = new Map<string, Target>();
  for (const reference of references) {
    const target = await store.images.resolve(reference);
    if (!target) {
      const name = familiarReference(reference);
      throw new BuildError('IMAGE_NOT_FOUND', `no image \`${name}\` in the store`, {
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
  readonly #form: Form | undefined;
  readonly #store: Store;
  readonly #destinations: PushDestinations;

  /** Without a form: the layers as they are, or gzip where the store made them. */
  constructor(target: Descriptor, form: Form | undefined, store: Store, destinations: PushDestinations) {
    this.#target = target;
    this.#form = form;
    this.#store = store;
    this.#destinations = destinations;
  }

  async run(job: JobContext): Promise<readonly Pushed[]> {
    const { blobs } = this.#store;
    const image = await this.#toForm(job);
    if (!image) return await this.#destinations.send(this.#target, blobs, { sent: [] }, job);
    const { root, layers } = await this.#formed(image, job);
    return await this.#destinations.send(root, blobs, { sent: layers }, job);
  }

  /** The image, if its layers are not to be sent as they are. */
  async #toForm(job: JobContext): Promise<Image | undefined> {
    if (!isManifestType(this.#target.mediaType)) {
      if (!this.#form) return undefined;
      throw new BuildError('USAGE', `\`${this.#target.digest}\` is an index: its images are pushed as they are`, {
        hint: 'leave out the options of compression',
      });
    }
    const image = await readImage(this.#store.blobs, this.#target, hostPlatform(), job);
    if (this.#form) return image;
    const isPlain = image.manifest.layers.some(({ mediaType }) => isPlainLayer(mediaType));
    return isPlain && !(await new Origins(this.#store.records).isKnown(this.#target.digest)) ? image : undefined;
  }

  /** Brings the layers there, in their form; the manifest of them is that of the image if they all had it before. */
  async #formed(
    { manifest, config, descriptor }: Image,
    job: JobContext,
  ): Promise<{ readonly root: Descriptor; readonly layers: readonly Descriptor[] }> {
    const form = this.#form ?? DEFAULT_FORM;
    const family = descriptor.mediaType === mediaTypes.dockerManifest ? 'docker' : 'oci';
    const facts = manifest.layers.map((blob, i) => ({ diffId: config.rootfs.diff_ids[i]!, blob }));
    const options = { ...form, mediaTypes: family } as const;
    const layers = await pushLayers(facts, options, this.#store, this.#destinations.repositories, job);
    if (layers.every(({ digest }, i) => digest === manifest.layers[i]!.digest)) return { root: this.#target, layers };
    const mediaType = family === 'docker' ? mediaTypes.dockerConfig : mediaTypes.config;
    const own = { ...manifest.config, mediaType };
    const made = await makeManifest(own, layers, this.#store.blobs, manifest.annotations, family);
    return { root: made.manifest, layers };
  }
}
