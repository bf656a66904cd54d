import { readFileSync, statSync } from 'node:fs';
import { BuildError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { mediaTypes, type Descriptor, type Index, type Manifest } from '../../oci/descriptor.js';
import { digestOf, type Digest } from '../../oci/digest.js';
import { parseManifest } from '../../oci/documents.js';
import { listStore } from '../gc/listing.js';
import type { StorePaths } from '../paths.js';

/** A list of images for a store that has lost its own: every manifest with all its blobs, without a name. */
export function indexOfWholeImages(paths: StorePaths): Index {
  const manifests: Descriptor[] = [];
  for (const [digest, { size }] of listStore(paths).blobs) {
    const manifest = size <= limits.documentBytes ? readManifest(paths, digest) : undefined;
    if (!manifest || ![manifest.config, ...manifest.layers].every((blob) => isThere(paths, blob))) continue;
    manifests.push({ mediaType: manifest.mediaType ?? mediaTypes.manifest, digest, size });
  }
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
}

/** Undefined for what is none. */
function readManifest(paths: StorePaths, digest: Digest): Manifest | undefined {
  const bytes = readFileSync(paths.blob(digest));
  if (digestOf(bytes) !== digest) return undefined;
  try {
    const manifest = parseManifest(bytes, digest);
    return manifest.config.mediaType === mediaTypes.config || manifest.config.mediaType === mediaTypes.dockerConfig
      ? manifest
      : undefined;
  } catch (error) {
    if (error instanceof BuildError && error.code === 'IMAGE_INVALID') return undefined;
    throw error;
  }
}

function isThere(paths: StorePaths, { digest, size }: Descriptor): boolean {
  return statSync(paths.blob(digest), { throwIfNoEntry: false })?.size === size;
}
