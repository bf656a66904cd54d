import type { JobContext } from '../job/context.js';
import { annotationKeys } from '../oci/descriptor.js';
import { copyGraph } from '../transfer/copy-graph.js';
import { dockerManifest, writeImageArchive } from '../transfer/image-archive-file.js';
import { LayoutDirectory } from '../transfer/layout-directory.js';
import { indexEntries } from '../transfer/layout-index.js';
import { annotationsAt } from './annotations.js';
import { formInStore } from './form-image.js';
import { blobsOf, targetOf } from './make-image.js';
import type { ArchiveOutput, ExportContext, Exported, Exporter } from './types.js';

/**
 * `type=oci`: an OCI image layout as a tar or a directory. `type=docker`: the same with the `manifest.json` that
 * `docker load` reads.
 */
export class ImageArchiveExporter implements Exporter {
  readonly #spec: ArchiveOutput;

  constructor(spec: ArchiveOutput) {
    this.#spec = spec;
  }

  async export(context: ExportContext, job: JobContext): Promise<Exported> {
    const { type, dest, tar } = this.#spec;
    const { store, epoch } = context;
    const { image, tags } = await formInStore(context, this.#spec, job);
    const { config, layers } = image;
    const target = targetOf(image);
    const created = new Date(epoch === undefined ? job.now() : epoch * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
    const all = [...context.annotations, ...this.#spec.annotations];
    const platform = (await context.image()).built.config;
    const own = annotationsAt(image.attested ? 'index-descriptor' : 'manifest-descriptor', all, platform);
    const annotations = { ...own, [annotationKeys.created]: created };
    const entries = indexEntries(target, { references: tags }, annotations);
    const docker = type === 'docker' ? [{ config, layers, names: tags }] : undefined;
    const source = store.blobs;
    if (tar) {
      await writeImageArchive(dest, { source, blobs: blobsOf(image), entries, ...(docker && { docker }) }, job);
    } else {
      await LayoutDirectory.write(dest, job, async (layout) => {
        await copyGraph(source, layout, target, { job, doing: 'writing' });
        if (docker) await layout.writeFile('manifest.json', dockerManifest(docker));
        await layout.addEntries(entries);
      });
    }
    return { image: { ...image, descriptorAnnotations: annotations }, pushed: [] };
  }
}
