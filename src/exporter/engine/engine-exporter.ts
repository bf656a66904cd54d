import type { JobContext } from '../../job/context.js';
import { parseReference, withDefaultTag } from '../../oci/reference.js';
import { compressLayers } from '../compress-layers.js';
import { formImage } from '../form-image.js';
import { blobsOf, targetOf } from '../make-image.js';
import type { EngineOutput, ExportContext, Exported, Exporter } from '../types.js';
import { loadIntoEngine } from './load-into-engine.js';

/** `--load`, and `type=docker` without a destination: a container engine of this machine has the image afterwards. */
export class EngineExporter implements Exporter {
  readonly #spec: EngineOutput;

  constructor(spec: EngineOutput) {
    this.#spec = spec;
  }

  async export(context: ExportContext, job: JobContext): Promise<Exported> {
    const { names } = this.#spec;
    const { store } = context;
    const tags = (names.length > 0 ? names.map(parseReference) : context.tags).map(withDefaultTag);
    const image = await formImage(
      context,
      this.#spec,
      tags,
      async (layers, options) => await compressLayers(layers, options, store, job),
      job,
    );
    const { config, layers } = image;
    const given = { source: store.blobs, target: targetOf(image), blobs: blobsOf(image), config, layers, tags };
    await loadIntoEngine(given, process.env, job);
    return { image, pushed: [] };
  }
}
