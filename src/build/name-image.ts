import type { Descriptor } from '../oci/descriptor.js';
import { hostPlatform } from '../oci/platform.js';
import type { Reference } from '../oci/reference.js';
import { foremostImage } from '../transfer/whole-images.js';
import type { OpenJob } from './open-job.js';

/**
 * Gives what was brought into the store its names; without any it is listed nameless. Throws IMAGE_INVALID and names
 * nothing when its config contradicts its manifest or it is no image: the store lists images and nothing else.
 */
export async function nameImage(
  { store, job }: OpenJob,
  { mediaType, digest, size, platform }: Descriptor,
  references: readonly Reference[],
): Promise<void> {
  const target = { mediaType, digest, size, ...(platform && { platform }) };
  await foremostImage(store.blobs, target, hostPlatform(), job);
  await store.images.tag(target, references, job);
}
