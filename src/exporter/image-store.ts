import type { JobContext } from '../job/context.js';
import { parseReference, withDefaultTag } from '../oci/reference.js';
import { targetOf, type MadeImage } from './make-image.js';
import { attestExport } from './provenance/attest-export.js';
import type { ExportContext, Exporter, OutputSpec } from './types.js';

/** `type=image`, and what happens without `-o`: the image stands in the store under its tags. */
export class ImageStoreExporter implements Exporter {
  readonly #spec: Extract<OutputSpec, { type: 'image' }>;

  constructor(spec: Extract<OutputSpec, { type: 'image' }>) {
    this.#spec = spec;
  }

  async export(context: ExportContext, job: JobContext): Promise<MadeImage> {
    const { made } = await context.image();
    const own = this.#spec.names.map((name) => withDefaultTag(parseReference(name)));
    const names = [...context.tags, ...own];
    const image = await attestExport(made, context, names, this.#spec.ociArtifact);
    await context.store.images.tag(targetOf(image), names, job);
    return image;
  }
}
