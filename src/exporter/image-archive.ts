import type { JobContext } from '../job/context.js';
import { annotationKeys } from '../oci/descriptor.js';
import { parseReference, withDefaultTag } from '../oci/reference.js';
import { copyGraph } from '../transfer/copy-graph.js';
import { dockerManifest, writeImageArchive } from '../transfer/image-archive-file.js';
import { LayoutDirectory } from '../transfer/layout-directory.js';
import { indexEntries } from '../transfer/layout-index.js';
import { compressLayers } from './compress-layers.js';
import { loadIntoEngine } from './engine/load-into-engine.js';
import { blobsOf, makeImage, makeManifest, targetOf, type MadeImage } from './make-image.js';
import { attestExport } from './provenance/attest-export.js';
import { rewriteTimestamps } from './rewrite-timestamp.js';
import type { ExportContext, Exporter, OutputSpec } from './types.js';

type ArchiveSpec = Extract<OutputSpec, { type: 'oci' | 'docker' }>;

/**
 * `type=oci`: an OCI image layout as a tar or a directory. `type=docker`: the same with the `manifest.json` that
 * `docker load` reads, or that archive handed to a container engine.
 */
export class ImageArchiveExporter implements Exporter {
  readonly #spec: ArchiveSpec;

  constructor(spec: ArchiveSpec) {
    this.#spec = spec;
  }

  async export(context: ExportContext, job: JobContext): Promise<MadeImage> {
    const { type, dest, tar, compression, compressionLevel, forceCompression, names, ociArtifact } = this.#spec;
    const { store, epoch } = context;
    const { built, made } = await this.#image(context, job);
    const { config } = made;
    const layers = await compressLayers(
      built.layers,
      { type: compression, level: compressionLevel, force: forceCompression, mediaTypes: 'oci' },
      store,
      job,
    );
    const tags = names.length > 0 ? names.map((name) => withDefaultTag(parseReference(name))) : context.tags;
    const image = await makeManifest(config, layers, store.blobs, context.annotations);
    const exported = await attestExport(image, context, tags, ociArtifact);
    const target = targetOf(exported);
    const created = new Date(epoch === undefined ? job.now() : epoch * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
    const annotations = { [annotationKeys.created]: created };
    const entries = indexEntries(target, { references: tags }, annotations);
    const docker = type === 'docker' ? [{ config, layers, names: tags }] : undefined;
    const source = store.blobs;
    const blobs = blobsOf(exported);
    if (dest === undefined) {
      await loadIntoEngine({ source, target, blobs, config, layers, tags }, process.env, job);
    } else if (tar) {
      await writeImageArchive(dest, { source, blobs, entries, ...(docker && { docker }) }, job);
    } else {
      await LayoutDirectory.write(dest, job, async (layout) => {
        await copyGraph(source, layout, target, { job, doing: 'writing' });
        if (docker) await layout.writeFile('manifest.json', dockerManifest(docker));
        await layout.addEntries(entries);
      });
    }
    return { ...exported, descriptorAnnotations: annotations };
  }

  async #image(context: ExportContext, job: JobContext): ReturnType<ExportContext['image']> {
    const image = await context.image();
    if (!this.#spec.rewriteTimestamp) return image;
    if (context.epoch === undefined) {
      const text =
        '`rewrite-timestamp` has no time to rewrite to: set SOURCE_DATE_EPOCH in the environment or as a build argument';
      job.emit({ type: 'notice', level: 'warning', text, at: job.now() });
      return image;
    }
    const built = await rewriteTimestamps(image.built, context.epoch, context.store, job);
    return { built, made: await makeImage(built, context.store.blobs, context.epoch) };
  }
}
