import { BuildError } from '../base/errors.js';
import { isManifestType, type Descriptor } from '../oci/descriptor.js';
import { readImage, type DocumentSource } from '../oci/image.js';
import type { ContentSource } from '../oci/content.js';
import type { Cancel } from '../base/abort.js';
import { formatPlatform, hostPlatform, matchesPlatform, parsePlatform, type Platform } from '../oci/platform.js';
import { formatReference, parseReference, withDefaultTag, type Reference } from '../oci/reference.js';
import type { Registries } from '../registry/types.js';
import { Origins } from '../store/origins.js';
import { copyGraph } from '../transfer/copy-graph.js';
import { StoreSink } from '../transfer/store-sink.js';
import { keptDocuments } from './image-origin.js';
import { LazyRegistries } from './lazy-registries.js';
import { nameImage } from './name-image.js';
import { withJob, type JobOptions, type OpenJob } from './open-job.js';

export interface PullOptions extends JobOptions {
  readonly images: readonly string[];
  /** `os/architecture[/variant]`; default: this machine's. */
  readonly platform?: string;
  /** Every platform, and the index under the name. */
  readonly allPlatforms?: boolean;
}

export interface PulledImage {
  /** In full. */
  readonly name: string;
  /** What the registry has under the name: of a manifest or an index. */
  readonly digest: string;
  /** What the store has under the name now: the same, or the manifest of one platform. */
  readonly target: Descriptor;
  /** The name stood for something else before, or for nothing. */
  readonly isNew: boolean;
  /** What was transferred, documents left out that were needed to find the image. */
  readonly bytes: number;
}

/**
 * Takes images from registries into the store, under their names: the image for one platform, or all. Throws
 * IMAGE_NOT_FOUND, REGISTRY_DENIED, REGISTRY_FAILED, IMAGE_INVALID and BLOB_CORRUPT; images that were pulled before that
 * stay.
 */
export async function pullImages(options: PullOptions): Promise<readonly PulledImage[]> {
  const references = options.images.map((name) => withDefaultTag(parseReference(name)));
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  if (platform && options.allPlatforms) {
    throw new BuildError('USAGE', '`--platform` and `--all-platforms` contradict each other');
  }
  const registries = new LazyRegistries(process.env);
  try {
    return await withJob(options, 'pulling images into the store', async (open) => {
      const pulled: PulledImage[] = [];
      for (const reference of references) {
        const wanted = options.allPlatforms ? 'all' : platform;
        pulled.push(await pullImage(reference, wanted, await registries.get(), open));
      }
      return pulled;
    });
  } finally {
    await registries.close();
  }
}

async function pullImage(
  reference: Reference,
  platform: Platform | 'all' | undefined,
  registries: Registries,
  open: OpenJob,
): Promise<PulledImage> {
  const { store, job } = open;
  const repository = registries.repository(reference, { use: 'pull' });
  const found = await repository.resolve(reference, job);
  const documents = keptDocuments(store.blobs, () => Promise.resolve(repository));
  const target = platform === 'all' ? found : await imageFor(documents, found, platform, job);
  const sink = new StoreSink(open.store);
  const source: ContentSource = {
    readDocument: (document, opts) => documents.readDocument(document, opts),
    open: (blob, opts) => repository.open(blob, opts),
  };
  const { copied } = await copyGraph(source, sink, target, { job, doing: 'pulling' });
  const origins = new Origins(store.records);
  for (const digest of [...sink.blobs, target.digest]) await origins.remember(digest, reference);
  const before = await store.images.resolve(reference);
  await nameImage(open, target, [reference]);
  const isNew = before?.digest !== target.digest;
  return { name: formatReference(reference), digest: found.digest, target, isNew, bytes: copied.bytes };
}

/**
 * The manifest for a platform, without one for this machine's; a manifest without an index is taken for any, unless
 * another platform was asked for. Throws IMAGE_NOT_FOUND, and what `readImage` throws.
 */
export async function imageFor(
  source: DocumentSource,
  target: Descriptor,
  platform: Platform | undefined,
  opts: Cancel,
): Promise<Descriptor> {
  const { descriptor, config } = await readImage(source, target, platform ?? hostPlatform(), opts);
  if (platform && isManifestType(target.mediaType) && !matchesPlatform(config, platform)) {
    throw new BuildError(
      'IMAGE_NOT_FOUND',
      `\`${target.digest}\` is for ${formatPlatform(config)}, not for ${formatPlatform(platform)}`,
      { hint: 'it is the only image there: leave out `--platform`, or take another name' },
    );
  }
  const { mediaType, digest, size } = descriptor;
  return { mediaType, digest, size };
}
