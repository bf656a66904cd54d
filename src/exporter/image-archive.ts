import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { hasCode } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import { annotationKeys, mediaTypes, type Descriptor, type Index } from '../oci/descriptor.js';
import { hexOf } from '../oci/digest.js';
import {
  familiarReference,
  formatReference,
  parseReference,
  withDefaultTag,
  type Reference,
} from '../oci/reference.js';
import { parseIndex } from '../oci/documents.js';
import type { BlobStore } from '../store/blobs.js';
import { fileOf, writeArchive, writeDirectory, type ArchiveFile } from './archive.js';
import { compressLayers } from './compress-layers.js';
import { withDirectoryLock } from './locked-directory.js';
import { makeImage, makeManifest, type MadeImage } from './make-image.js';
import { rewriteTimestamps } from './rewrite-timestamp.js';
import type { ExportContext, Exporter, OutputSpec } from './types.js';

type ArchiveSpec = Extract<OutputSpec, { type: 'oci' | 'docker' }>;

/**
 * `type=oci`: an OCI image layout as a tar or a directory. `type=docker`: the same with the `manifest.json` that
 * `docker load` reads.
 */
export class ImageArchiveExporter implements Exporter {
  readonly #spec: ArchiveSpec;

  constructor(spec: ArchiveSpec) {
    this.#spec = spec;
  }

  async export(context: ExportContext, job: JobContext): Promise<MadeImage> {
    const { type, dest, tar, compression, compressionLevel, forceCompression, names } = this.#spec;
    const { store, epoch } = context;
    const { built, made } = await this.#image(context, job);
    const { config } = made;
    const layers = await compressLayers(
      built.layers,
      { type: compression, level: compressionLevel, force: forceCompression, mediaTypes: 'oci' },
      store,
      job,
    );
    const exported = await makeManifest(config, layers, store.blobs, context.annotations);
    const { manifest } = exported;
    const tags = names.length > 0 ? names.map((name) => withDefaultTag(parseReference(name))) : context.tags;
    const created = new Date(epoch === undefined ? job.now() : epoch * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
    const blobs = [manifest, config, ...layers].map((one) => blobFile(one, store.blobs, job));
    const filesWith = (kept: readonly Descriptor[]): readonly ArchiveFile[] => [
      ...new Map(blobs.map((file) => [file.name, file])).values(),
      fileOf('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' })),
      fileOf('index.json', JSON.stringify(indexOf(manifest, tags, created, kept))),
      ...(type === 'docker' ? [fileOf('manifest.json', dockerManifest(config, layers, tags))] : []),
    ];
    if (tar) await writeArchive(dest, filesWith([]), job);
    else {
      await withDirectoryLock(dest, job, async () => {
        await writeDirectory(dest, filesWith(await otherImages(dest, manifest, tags)), job);
      });
    }
    return exported;
  }

  async #image(context: ExportContext, job: JobContext): ReturnType<ExportContext['image']> {
    const image = await context.image();
    if (!this.#spec.rewriteTimestamp) return image;
    if (context.epoch === undefined) {
      const text =
        '`rewrite-timestamp` has no time to rewrite to: set SOURCE_DATE_EPOCH in the environment or as a build argument';
      job.emit({ type: 'notice', level: 'warning', text, at: job.now() });
      return image;
    }
    const built = await rewriteTimestamps(image.built, context.epoch, context.store, job);
    return { built, made: await makeImage(built, context.store.blobs, context.epoch) };
  }
}

function blobFile(target: Descriptor, blobs: BlobStore, job: JobContext): ArchiveFile {
  return { name: `blobs/sha256/${hexOf(target.digest)}`, size: target.size, open: () => blobs.open(target, job) };
}

/** As BuildKit: the name annotation is the tag alone, the full name stands beside it. */
function indexOf(
  manifest: Descriptor,
  tags: readonly Reference[],
  created: string,
  kept: readonly Descriptor[],
): Index {
  const entry = (tag?: Reference): Descriptor => ({
    ...manifest,
    annotations: {
      ...(tag && { [annotationKeys.imageName]: formatReference(tag) }),
      [annotationKeys.created]: created,
      ...(tag?.tag && { [annotationKeys.refName]: tag.tag }),
    },
  });
  const manifests = [...kept, ...(tags.length === 0 ? [entry()] : tags.map(entry))];
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
}

/** `docker save`'s format, moby `image/tarexport`. */
function dockerManifest(config: Descriptor, layers: readonly Descriptor[], tags: readonly Reference[]): string {
  const file = (one: Descriptor): string => `blobs/sha256/${hexOf(one.digest)}`;
  const image = { Config: file(config), RepoTags: tags.map(familiarReference), Layers: layers.map(file) };
  return JSON.stringify([image]);
}

/** What a layout directory has already, without what the new image replaces: entries of the same name or digest. */
async function otherImages(
  dest: string,
  manifest: Descriptor,
  tags: readonly Reference[],
): Promise<readonly Descriptor[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path.join(dest, 'index.json'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  const names = tags.map(formatReference);
  return parseIndex(bytes, `the index of the layout \`${dest}\``).manifests.filter((one) => {
    const name = one.annotations?.[annotationKeys.imageName];
    return one.digest !== manifest.digest && (name === undefined || !names.includes(name));
  });
}
