import type { JobContext } from '../job/context.js';
import { parseReference, withDefaultTag, type Reference } from '../oci/reference.js';
import { compressLayers } from './compress-layers.js';
import { formImage } from './form-image.js';
import { targetOf, type MadeImage } from './make-image.js';
import { PushDestinations } from './push-destinations.js';
import type { Repository } from '../registry/types.js';
import { pushLayersAndConfig } from './push-layers.js';
import type { ExportContext, Exported, Exporter, ImageOutput } from './types.js';

/**
 * `type=image`, and what happens without `-o`: the image stands in the store under its tags. `type=registry`, and
 * `push=true`: it is pushed to where its names say, in the form that is asked for.
 */
export class ImageExporter implements Exporter {
  readonly #spec: ImageOutput;

  constructor(spec: ImageOutput) {
    this.#spec = spec;
  }

  async export(context: ExportContext, job: JobContext): Promise<Exported> {
    const own = this.#spec.names.map(parseReference);
    const stored = this.#spec.store ? await this.#keep(context, [...context.tags, ...own], job) : undefined;
    if (this.#spec.push) {
      const names = own.length > 0 ? own : context.tags;
      return { ...(await this.#push(context, names, job)), ...(stored && { stored }) };
    }
    return { image: stored ?? (await context.image()).made, pushed: [], ...(stored && { stored }) };
  }

  /** The compression that is asked for is that of a push: layers lie in the store as they were made. */
  async #keep(context: ExportContext, given: readonly Reference[], job: JobContext): Promise<MadeImage> {
    const names = given.map(withDefaultTag);
    const form = { ...this.#spec, compression: 'uncompressed', forceCompression: false } as const;
    const image = await formImage(
      context,
      form,
      names,
      async (layers, options) => await compressLayers(layers, options, context.store, job),
      job,
    );
    const { digest } = targetOf(image);
    const { danglingNamePrefix: prefix, canonicalName } = this.#spec;
    if (names.length === 0 && prefix !== undefined) names.push(parseReference(`${prefix}@${digest}`));
    const canonical = canonicalName ? names.map(({ registry, repository }) => ({ registry, repository, digest })) : [];
    await context.store.images.tag(targetOf(image), [...names, ...canonical], job);
    return image;
  }

  async #push(context: ExportContext, names: readonly Reference[], job: JobContext): Promise<Exported> {
    const { insecure, pushByDigest, keepsImmutable = false } = this.#spec;
    const { store } = context;
    const registries = await context.registries.get();
    const destinations = PushDestinations.open(names, registries, store, {
      insecure,
      byDigest: pushByDigest,
      keepsImmutable,
    });
    let isNewTo: readonly Repository[] = [];
    const image = await formImage(
      context,
      this.#spec,
      names.map(withDefaultTag),
      async (...form) =>
        await pushLayersAndConfig(...form, store, destinations.repositories, (sinks) => (isNewTo = sinks), job),
      job,
    );
    const sent = [...image.layers, image.config];
    return {
      image,
      pushed: await destinations.send(targetOf(image), store.blobs, { sent, isNewTo, hasNoSubject: true }, job),
    };
  }
}
