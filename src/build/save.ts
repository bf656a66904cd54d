import type { JobContext } from '../job/context.js';
import type { Descriptor } from '../oci/descriptor.js';
import { hostPlatform, type Platform } from '../oci/platform.js';
import type { Reference } from '../oci/reference.js';
import type { Store } from '../store/store.js';
import type { CopyGraphOptions } from '../transfer/copy-graph.js';
import { writeImageArchive, type DockerImage } from '../transfer/image-archive-file.js';
import { indexEntries } from '../transfer/layout-index.js';
import { listGraph } from '../transfer/list-graph.js';
import { foremostImage, wholeImages, type PartialContent } from '../transfer/whole-images.js';
import { findTarget, storeNames } from './images.js';
import { withJob, type JobOptions } from './open-job.js';

export interface SaveOptions extends JobOptions {
  /** Names, digests or first digits of digests of images in the store. */
  readonly images: readonly string[];
  /** File of the archive; `-` is stdout. */
  readonly file: string;
}

/**
 * Writes images of the store as one archive that `docker load` reads and that is an OCI image layout too, as Docker does
 * since version 25. An image that is asked for by a name has that name in it, one by its digest has none. Throws
 * IMAGE_NOT_FOUND, EXPORT_FAILED and DISK_FULL; the file lands whole or not at all.
 */
export async function saveImages(options: SaveOptions): Promise<void> {
  await withJob({ ...options, access: 'read' }, 'saving images', async ({ store, job }) => {
    const images: ImageToWrite[] = [];
    for (const name of options.images) await addImage(images, name, store, job);
    await writeDockerArchive(options.file, store.blobs, images, { platform: hostPlatform(), job });
  });
}

async function addImage(images: ImageToWrite[], name: string, store: Store, job: JobContext): Promise<void> {
  const { target } = await findTarget(store, name);
  const known = images.find(({ root }) => root.digest === target.digest);
  const only = await wholeImages(store.blobs, target, job);
  const image = known ?? { root: target, names: [], only };
  if (!known) images.push(image);
  image.names.push(...(await storeNames(name, store)));
}

/** An image, and the names that it is to have in an archive. */
export interface ImageToWrite {
  readonly root: Descriptor;
  readonly names: Reference[];
  /** Which of its children are there; default: all. */
  readonly only?: CopyGraphOptions['only'];
}

/** Of an index, `docker load` is told of the image for `platform`, else of another; the layout has all that `only` allows. */
export async function writeDockerArchive(
  file: string,
  source: PartialContent,
  images: readonly ImageToWrite[],
  { platform, job }: { readonly platform: Platform; readonly job: JobContext },
): Promise<void> {
  const blobs: Descriptor[] = [];
  const docker: DockerImage[] = [];
  for (const { root, names, only } of images) {
    blobs.push(...(await listGraph(source, root, job, only)));
    const { config, layers } = (await foremostImage(source, root, platform, job)).manifest;
    docker.push({ config, layers, names });
  }
  const entries = images.flatMap(({ root, names }) => indexEntries(root, { references: names }));
  await writeImageArchive(file, { source, blobs, entries, docker }, job);
}
