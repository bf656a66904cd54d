import { stat } from 'node:fs/promises';
import { readStdin } from '../base/read-stdin.js';
import { BuildError, hasCode } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import { isIndexType, isManifestType, type Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { familiarReference, type Reference } from '../oci/reference.js';
import { ImageLayout } from '../store/layout.js';
import { copyGraph } from '../transfer/copy-graph.js';
import { referencesOf } from '../transfer/layout-index.js';
import { withArchive } from '../transfer/open-archive.js';
import { StoreSink } from '../transfer/store-sink.js';
import { wholeImages, type PartialContent } from '../transfer/whole-images.js';
import { nameImage } from './name-image.js';
import { withJob, type JobOptions, type OpenJob } from './open-job.js';

export interface LoadOptions extends JobOptions {
  /** An archive of images, plain or compressed, or the directory of an image layout; `-` is `input`. */
  readonly file: string;
  /** Default: stdin of this process. */
  readonly input?: AsyncIterable<Buffer>;
}

export interface LoadedImage {
  /** Of its manifest or index. */
  readonly digest: string;
  /** As people write them; none for an image that the archive gives no valid name. */
  readonly names: readonly string[];
}

/**
 * Takes the images of an archive or a layout into the store, under the names that it gives them. Of an index, the images
 * that are there whole are taken. Throws IMAGE_NOT_FOUND when there is no such file, and ARCHIVE_INVALID, IMAGE_INVALID,
 * BLOB_CORRUPT and BLOB_NOT_FOUND for what is not sound; an image that was taken before keeps its names then. Of a name
 * that stood for something else, a warning tells.
 */
export async function loadImages(options: LoadOptions): Promise<readonly LoadedImage[]> {
  return await withJob(options, 'loading images into the store', async (open) => {
    const { file, input = readStdin(options) } = options;
    if (file !== '-' && (await isDirectory(file))) {
      const layout = new ImageLayout(file);
      return await loadAll(layout, await layout.manifests(), file, open);
    }
    const { job, store } = open;
    return await withArchive(
      file,
      { blobs: store.blobs, input, job },
      async (archive) => await loadAll(archive, archive.manifests, file, open),
    );
  });
}

async function loadAll(
  source: PartialContent,
  manifests: readonly Descriptor[],
  file: string,
  open: OpenJob,
): Promise<readonly LoadedImage[]> {
  const { job } = open;
  if (manifests.length === 0) throw new BuildError('IMAGE_INVALID', `\`${file}\` has no images`);
  const loaded: LoadedImage[] = [];
  for (const digest of new Set(manifests.map((one) => one.digest))) {
    const entries = manifests.filter((one) => one.digest === digest);
    const names = entries.flatMap((one) => namesOf(one, job));
    await loadOne(source, entries[0]!, open);
    for (const name of names) await tellMove(name, digest, open);
    await nameImage(open, entries[0]!, names);
    loaded.push({ digest, names: names.map(familiarReference) });
  }
  return loaded;
}

async function loadOne(source: PartialContent, target: Descriptor, open: OpenJob): Promise<void> {
  const { job } = open;
  if (!isManifestType(target.mediaType) && !isIndexType(target.mediaType)) {
    throw new BuildError('IMAGE_INVALID', `\`${target.digest}\` is a \`${target.mediaType}\`, not an image`);
  }
  const only = await wholeImages(source, target, job);
  await copyGraph(source, new StoreSink(open.store), target, { job, only, doing: 'loading' });
}

/** An archive gives its images what names it likes, also those that stand for something else here. */
async function tellMove(name: Reference, digest: Digest, { store, job }: OpenJob): Promise<void> {
  const before = await store.images.resolve(name);
  if (before === undefined || before.digest === digest) return;
  const text = `\`${familiarReference(name)}\` stood for \`${before.digest}\` before, which stays`;
  job.emit({ type: 'notice', level: 'warning', text, at: job.now() });
}

function namesOf(entry: Descriptor, job: JobContext): readonly Reference[] {
  return referencesOf(entry, (name, why) => {
    const text = `the name ${JSON.stringify(name.slice(0, 200))} of an image is left out: ${why}`;
    job.emit({ type: 'notice', level: 'warning', text, at: job.now() });
  });
}

async function isDirectory(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return false; // told when it is read
    throw error;
  }
}
