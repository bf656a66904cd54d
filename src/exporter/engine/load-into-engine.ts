import type { JobContext } from '../../job/context.js';
import type { ContentSource } from '../../oci/content.js';
import type { Descriptor } from '../../oci/descriptor.js';
import { formatReference, type Reference } from '../../oci/reference.js';
import { tarOf } from '../../transfer/archive-file.js';
import { imageArchiveFiles } from '../../transfer/image-archive-file.js';
import { indexEntries } from '../../transfer/layout-index.js';
import { findEngine, type EnginePlaces } from './find-engine.js';

/** An image that an engine is to have. */
export interface LoadedImage {
  /** Gives all of it. */
  readonly source: ContentSource;
  /** Its manifest, or an index of that and of what is attached to it. */
  readonly target: Descriptor;
  /** All that belongs to `target`, itself too. */
  readonly blobs: readonly Descriptor[];
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly tags: readonly Reference[];
}

/**
 * Hands an image to a container engine, which has it under all its tags afterwards; an engine that calls an image by its
 * config's digest calls it as Slipway does. No file is written on the way. Throws ENGINE_UNAVAILABLE, EXPORT_FAILED,
 * CONFIG_INVALID and what the source throws.
 */
export async function loadIntoEngine(
  image: LoadedImage,
  env: NodeJS.ProcessEnv,
  job: JobContext,
  places?: EnginePlaces,
): Promise<void> {
  const { source, target, blobs, config, layers, tags } = image;
  const engine = await findEngine(env, job, places);
  const archive = {
    source,
    ...(engine.archive === 'docker'
      ? { blobs: [config, ...layers] }
      : { blobs, entries: indexEntries(target, { references: tags }) }),
    docker: [{ config, layers, names: tags }],
    // Podman would take a short name for one of this machine's.
    nameOf: formatReference,
  };
  job.emit({ type: 'notice', level: 'info', text: `handing the image to ${engine.name}`, at: job.now() });
  await engine.load(tarOf(imageArchiveFiles(archive, 'loading', job)), job);
}
