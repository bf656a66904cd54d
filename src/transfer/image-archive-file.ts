import type { JobContext } from '../job/context.js';
import { TransferReport } from '../job/transfer-report.js';
import type { ContentSource } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import { hexOf } from '../oci/digest.js';
import { familiarReference, type Reference } from '../oci/reference.js';
import { appendFile } from './append-file.js';
import { fileOf, writeArchive, type ArchiveFile } from './archive-file.js';
import { EMPTY_INDEX } from './layout-index.js';

/** An image as `docker load` is told of it. */
export interface DockerImage {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly names: readonly Reference[];
}

export interface ImageArchiveContent {
  readonly source: ContentSource;
  /** All that is to be in it, each once or more. */
  readonly blobs: readonly Descriptor[];
  /** Of the index; without them the archive is no layout, only what `docker load` reads. */
  readonly entries?: readonly Descriptor[];
  /** With them, the archive is one that `docker load` reads too. */
  readonly docker?: readonly DockerImage[];
  /** How names are written for `docker load`; default `familiarReference`, as `docker save` does. */
  readonly nameOf?: (name: Reference) => string;
}

/**
 * Writes an OCI image layout as a tar to `dest`, `-` being stdout. The same bytes for the same content. Lands whole or
 * not at all; throws EXPORT_FAILED, DISK_FULL and what the source throws.
 */
export async function writeImageArchive(dest: string, content: ImageArchiveContent, job: JobContext): Promise<void> {
  await writeArchive(dest, imageArchiveFiles(content, 'writing', job), job);
}

/** What such an archive holds. A blob is read when its file is opened, and reported as `doing`. */
export function imageArchiveFiles(
  { source, blobs, entries, docker, nameOf }: ImageArchiveContent,
  doing: string,
  job: JobContext,
): readonly ArchiveFile[] {
  const files = blobs.map((one) => blobFile(one, source, doing, job));
  const layout = entries && [
    fileOf('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' })),
    fileOf('index.json', JSON.stringify({ ...EMPTY_INDEX, manifests: entries })),
  ];
  return [
    ...new Map(files.map((file) => [file.name, file])).values(),
    ...(layout ?? []),
    ...(docker ? [fileOf('manifest.json', dockerManifest(docker, nameOf))] : []),
  ];
}

/** `docker save`'s format, moby `image/tarexport`. */
export function dockerManifest(
  images: readonly DockerImage[],
  nameOf: (name: Reference) => string = familiarReference,
): string {
  return JSON.stringify(
    images.map(({ config, layers, names }) => ({
      Config: blobName(config),
      RepoTags: names.map(nameOf),
      Layers: layers.map(blobName),
    })),
  );
}

function blobName({ digest }: Descriptor): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function blobFile(target: Descriptor, source: ContentSource, doing: string, job: JobContext): ArchiveFile {
  const file = source.checkedFile?.(target);
  return {
    name: blobName(target),
    size: target.size,
    open: () => reported(target, source, doing, job),
    ...(file !== undefined && { appendTo: (fd) => appended(file, fd, target, doing, job) }),
  };
}

async function appended(file: string, fd: number, target: Descriptor, doing: string, job: JobContext): Promise<number> {
  const report = new TransferReport(`${doing} ${target.digest.slice(7, 19)}`, job);
  try {
    const onProgress = (current: number): void => report.update(current, target.size);
    return await appendFile(file, fd, { signal: job.signal, onProgress });
  } finally {
    report.end();
  }
}

async function* reported(
  target: Descriptor,
  source: ContentSource,
  doing: string,
  job: JobContext,
): AsyncGenerator<Buffer, void, undefined> {
  const report = new TransferReport(`${doing} ${target.digest.slice(7, 19)}`, job);
  let current = 0;
  try {
    for await (const chunk of source.open(target, job)) {
      current += chunk.length;
      report.update(current, target.size);
      yield chunk;
    }
  } finally {
    report.end();
  }
}
