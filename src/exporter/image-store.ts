import type { JobContext } from '../job/context.js';
import { parseReference, withDefaultTag } from '../oci/reference.js';
import type { MadeImage } from './make-image.js';
import type { ExportContext, Exporter } from './types.js';

/** `type=image`, and what happens without `-o`: the image stands in the store under its tags. */
export class ImageStoreExporter implements Exporter {
  readonly #names: readonly string[];

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  async export({ image, tags, store }: ExportContext, job: JobContext): Promise<MadeImage> {
    const { made } = await image();
    const names = this.#names.map((name) => withDefaultTag(parseReference(name)));
    await store.images.tag(made.manifest, [...tags, ...names], job);
    return made;
  }
}
