import type { JobContext } from '../job/context.js';
import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { parseReference, withDefaultTag, type Reference } from '../oci/reference.js';
import { annotationsAt } from './annotations.js';
import { compressLayers } from './compress-layers.js';
import { makeImage, makeManifest, type BuiltImage, type MadeImage, type ResultLayer } from './make-image.js';
import type { CompressionOptions } from './layer-form.js';
import { attestExport } from './provenance/attest-export.js';
import { rewriteTimestamps } from './rewrite-timestamp.js';
import type { ExportContext, ImageForm } from './types.js';

/** Brings layers into a form, and where they are needed. `config`: of the image, in the store, to be brought there as well. */
export type FormLayers = (
  layers: readonly ResultLayer[],
  options: CompressionOptions,
  config: Descriptor,
) => Promise<readonly Descriptor[]>;

/**
 * The image in the form that an output asks for, under the names that it is exported with: layers by `formLayers`, then
 * config, manifest and what attests them, which are in the store afterwards. Throws what `attestExport` throws.
 */
export async function formImage(
  context: ExportContext,
  form: ImageForm,
  names: readonly Reference[],
  formLayers: FormLayers,
  job: JobContext,
): Promise<MadeImage> {
  const { store } = context;
  const { built, made } = await timedImage(context, form, job);
  const annotations = [...context.annotations, ...form.annotations];
  const isDocker = form.mediaTypes === 'docker';
  const config = isDocker ? { ...made.config, mediaType: mediaTypes.dockerConfig } : made.config;
  const compression: CompressionOptions = {
    type: form.compression,
    level: form.compressionLevel,
    force: form.forceCompression,
    mediaTypes: form.mediaTypes,
  };
  const layers = await formLayers(built.layers, compression, config);
  const ofManifest = annotationsAt('manifest', annotations, built.config);
  if (isDocker && Object.keys(ofManifest).length > 0) {
    const text = "annotations of the manifest are left out: with `oci-mediatypes=false` it is Docker's, which has none";
    job.emit({ type: 'notice', level: 'warning', text, at: job.now() });
  }
  const image = await makeManifest(config, layers, store.blobs, ofManifest, form.mediaTypes);
  return await attestExport(image, context, names, form);
}

/** The same for an output that takes every blob from the store. Gives its names as well, in full. */
export async function formInStore(
  context: ExportContext,
  form: ImageForm,
  job: JobContext,
): Promise<{ readonly image: MadeImage; readonly tags: readonly Reference[] }> {
  const given = form.names.length > 0 ? form.names.map(parseReference) : context.tags;
  const tags = given.map(withDefaultTag);
  const compress: FormLayers = async (layers, options) => await compressLayers(layers, options, context.store, job);
  return { image: await formImage(context, form, tags, compress, job), tags };
}

/** With the times that the form asks for. */
async function timedImage(
  context: ExportContext,
  form: ImageForm,
  job: JobContext,
): Promise<{ readonly built: BuiltImage; readonly made: MadeImage }> {
  const image = await context.image();
  if (!form.rewriteTimestamp) return image;
  if (context.epoch === undefined) {
    const text =
      '`rewrite-timestamp` has no time to rewrite to: set SOURCE_DATE_EPOCH in the environment or as a build argument';
    job.emit({ type: 'notice', level: 'warning', text, at: job.now() });
    return image;
  }
  const built = await rewriteTimestamps(image.built, context.epoch, context.store, job);
  return { built, made: await makeImage(built, context.store.blobs, context.epoch) };
}
