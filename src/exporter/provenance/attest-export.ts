import type { Reference } from '../../oci/reference.js';
import { annotationsAt } from '../annotations.js';
import type { MadeImage } from '../make-image.js';
import type { ExportContext, ImageForm } from '../types.js';
import { attestProvenance } from './attest.js';

/**
 * The image as it is exported under `names`: with its provenance, where that is asked for. Annotations of the index and
 * of descriptors are put where they belong; without an index there is no place for the former.
 */
export async function attestExport(
  image: MadeImage,
  { provenance, annotations, store }: Pick<ExportContext, 'provenance' | 'annotations' | 'store'>,
  names: readonly Reference[],
  form: ImageForm,
): Promise<MadeImage> {
  const all = [...annotations, ...form.annotations];
  if (!provenance) return image;
  const { platform } = provenance;
  const options = {
    names,
    ociArtifact: form.ociArtifact,
    annotations: annotationsAt('index', all, platform),
    descriptorAnnotations: annotationsAt('manifest-descriptor', all, platform),
  };
  return await attestProvenance(image, provenance, options, store.blobs);
}
