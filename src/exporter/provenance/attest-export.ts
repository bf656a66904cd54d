import type { Reference } from '../../oci/reference.js';
import type { MadeImage } from '../make-image.js';
import type { ExportContext } from '../types.js';
import { attestProvenance } from './attest.js';

/** The image as it is exported under `names`: with its provenance, where that is asked for. */
export async function attestExport(
  image: MadeImage,
  { provenance, store }: ExportContext,
  names: readonly Reference[],
  ociArtifact = true,
): Promise<MadeImage> {
  if (!provenance) return image;
  return await attestProvenance(image, provenance, { names, ociArtifact }, store.blobs);
}
