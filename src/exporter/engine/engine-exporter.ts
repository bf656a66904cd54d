import type { JobContext } from '../../job/context.js';
import { formInStore } from '../form-image.js';
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
    const { image, tags } = await formInStore(context, this.#spec, job);
    const { config, layers } = image;
    const given = { source: context.store.blobs, target: targetOf(image), blobs: blobsOf(image), config, layers, tags };
    await loadIntoEngine(given, process.env, job);
    return { image, pushed: [] };
  }
}
