import { readStdin } from '../base/read-stdin.js';
import { BuildError, unreachable } from '../base/errors.js';
import { isIndexType, type Descriptor } from '../oci/descriptor.js';
import { hostPlatform, parsePlatform } from '../oci/platform.js';
import { parseReference, withDefaultTag, type Reference } from '../oci/reference.js';
import { ImageLayout } from '../store/layout.js';
import { Origins, type Origin } from '../store/origins.js';
import { copyGraph } from '../transfer/copy-graph.js';
import { writeImageArchive } from '../transfer/image-archive-file.js';
import { LayoutDirectory } from '../transfer/layout-directory.js';
import { indexEntries, referencesOf, type LayoutNames } from '../transfer/layout-index.js';
import { listGraph } from '../transfer/list-graph.js';
import { parseLocation, type Location } from '../transfer/location.js';
import { withArchive } from '../transfer/open-archive.js';
import { StoreSink } from '../transfer/store-sink.js';
import { wholeImages, type PartialContent } from '../transfer/whole-images.js';
import { findTarget, storeNames } from './images.js';
import { LazyRegistries } from './lazy-registries.js';
import { nameImage } from './name-image.js';
import { withJob, type JobOptions, type OpenJob } from './open-job.js';
import { imageFor } from './pull.js';
import { writeDockerArchive } from './save.js';

export interface CopyOptions extends JobOptions {
  /** Locations, as `parseLocation` reads them. */
  readonly source: string;
  readonly destination: string;
  /** Only the image for `os/architecture[/variant]`. Default: all that is under the name. */
  readonly platform?: string;
  /** Default: stdin of this process, for an archive `-`. */
  readonly input?: AsyncIterable<Buffer>;
}

interface CopyContext extends OpenJob {
  readonly registries: LazyRegistries;
  readonly input: AsyncIterable<Buffer>;
}

/** An image at its source. */
interface SourceImage {
  readonly content: PartialContent;
  readonly root: Descriptor;
  /** What the source calls it, as far as that says what it may be called elsewhere. */
  readonly names: readonly Reference[];
  readonly origin?: Origin;
  /** Images of an index may be missing, because nobody needed them. */
  readonly mayBePartial: boolean;
}

/**
 * Copies an image with all that belongs to it between registries, layouts, archives and the store; gives the digest of
 * its manifest or index, which does not change: layers stay compressed or not as they are. From registry to registry nothing goes through the disk. Throws USAGE,
 * REFERENCE_INVALID, IMAGE_NOT_FOUND and BASE_NOT_FOUND for what is asked for, and what source and destination throw.
 */
export async function copyImage(options: CopyOptions): Promise<{ readonly digest: string }> {
  const [from, to] = [parseLocation(options.source), parseLocation(options.destination)];
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const registries = new LazyRegistries(process.env);
  try {
    const access = to.kind === 'store' ? 'write' : 'read';
    return await withJob({ ...options, access }, 'copying an image', async (open) => {
      const context = { ...open, registries, input: options.input ?? readStdin(options) };
      return await withSource(from, context, async (image) => {
        const { content } = image;
        const root = platform ? await imageFor(content, image.root, platform, open.job) : image.root;
        await write(to, { ...image, root }, context);
        return { digest: root.digest };
      });
    });
  } finally {
    await registries.close();
  }
}

async function withSource<T>(
  from: Location,
  { store, job, registries, input }: CopyContext,
  work: (image: SourceImage) => Promise<T>,
): Promise<T> {
  switch (from.kind) {
    case 'registry': {
      const { reference } = from;
      const content = (await registries.get()).repository(reference, { use: 'pull' });
      const root = await content.resolve(reference, job);
      return await work({ content, root, names: named(reference), origin: reference, mayBePartial: false });
    }
    case 'store': {
      const { target: root } = await findTarget(store, from.name);
      const names = await storeNames(from.name, store);
      return await work({ content: store.blobs, root, names, mayBePartial: true });
    }
    case 'layout': {
      const content = new ImageLayout(from.dir);
      const root = await content.resolve(from);
      return await work({ content, root, names: namesOf(root), mayBePartial: true });
    }
    case 'oci-archive':
    case 'docker-archive':
      return await withArchive(from.file, { blobs: store.blobs, input, job }, async (content) => {
        const root = content.resolve(from);
        return await work({ content, root, names: namesOf(root), mayBePartial: true });
      });
    default:
      return unreachable(from);
  }
}

async function write(to: Location, image: SourceImage, context: CopyContext): Promise<void> {
  const { content, root } = image;
  const { job } = context;
  switch (to.kind) {
    case 'registry':
      return await push(to.reference, image, context);
    case 'store': {
      const name = withDefaultTag(parseReference(to.name));
      requireDigest(name, root);
      const sink = new StoreSink(context.store);
      await copyGraph(content, sink, root, { job, ...(await onlyWhole(image, context)) });
      const { origin } = image;
      const origins = new Origins(context.store.records);
      if (origin) for (const digest of [...sink.blobs, root.digest]) await origins.remember(digest, origin);
      return await nameImage(context, root, [name]);
    }
    case 'layout':
      return await LayoutDirectory.write(to.dir, job, async (layout) => {
        await copyGraph(content, layout, root, { job, ...(await onlyWhole(image, context)) });
        await layout.addEntries(indexEntries(root, layoutNames(to.tag, image)));
      });
    case 'oci-archive': {
      const { only } = await onlyWhole(image, context);
      const blobs = await listGraph(content, root, job, only);
      const entries = indexEntries(root, layoutNames(to.tag, image));
      return await writeImageArchive(to.file, { source: content, blobs, entries }, job);
    }
    case 'docker-archive': {
      const names = to.tag === undefined ? [...image.names] : [withDefaultTag(parseReference(to.tag))];
      const { only } = await onlyWhole(image, context);
      const images = [{ root, names, ...(only && { only }) }];
      return await writeDockerArchive(to.file, content, images, { platform: hostPlatform(), job });
    }
    default:
      return unreachable(to);
  }
}

async function push(reference: Reference, { content, root, origin }: SourceImage, context: CopyContext): Promise<void> {
  const { job, registries, store } = context;
  requireDigest(reference, root);
  const known = new Origins(store.records);
  const repository = (await registries.get()).repository(reference, {
    use: 'push',
    origins: async (digest) => [
      ...(origin?.registry === reference.registry ? [origin.repository] : []),
      ...(await known.of(digest, reference.registry)),
    ],
  });
  await copyGraph(content, repository, root, { job, sinkIsClosed: true });
  if (reference.tag !== undefined) await repository.tag(root, reference.tag, content, job);
}

/** A destination that names a digest takes that image and no other: whoever asks for it there by the digest relies on it. */
function requireDigest({ digest }: Reference, root: Descriptor): void {
  if (digest === undefined || digest === root.digest) return;
  throw new BuildError('USAGE', `the destination has the digest \`${digest}\`, the image \`${root.digest}\``);
}

async function onlyWhole(
  { content, root, mayBePartial }: SourceImage,
  { job }: CopyContext,
): Promise<{ readonly only?: Awaited<ReturnType<typeof wholeImages>> }> {
  return mayBePartial && isIndexType(root.mediaType) ? { only: await wholeImages(content, root, job) } : {};
}

function layoutNames(text: string | undefined, { names }: SourceImage): LayoutNames {
  return text === undefined ? { references: names } : { text };
}

/** A name with a digest is none to be given. */
function named({ registry, repository, tag }: Reference): readonly Reference[] {
  return tag === undefined ? [] : [{ registry, repository, tag }];
}

function namesOf(root: Descriptor): readonly Reference[] {
  return referencesOf(root, () => undefined);
}
