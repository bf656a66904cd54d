import { allOrAbort } from '../base/abort.js';
import type { Converted } from '../dockerfile/to-llb/options.js';
import { annotationsAt } from '../exporter/annotations.js';
import { makeImage, targetOf, type BuiltImage, type MadeImage, type ResultLayer } from '../exporter/make-image.js';
import { exporterFor } from '../exporter/exporter-for.js';
import type { Provenance } from '../exporter/provenance/attest.js';
import type { ProvenancePredicate } from '../exporter/provenance/predicate.js';
import type { Exported, OutputSpec } from '../exporter/types.js';
import type { JobContext } from '../job/context.js';
import type { Descriptor } from '../oci/descriptor.js';
import { hexOf } from '../oci/digest.js';
import type { Platform } from '../oci/platform.js';
import {
  familiarReference,
  formatReference,
  parseReference,
  withDefaultTag,
  type Reference,
} from '../oci/reference.js';
import { facesOf } from '../store/refs.js';
import type { Store } from '../store/store.js';
import type { RefId } from '../worker/machine.js';
import type { Machines } from '../worker/machines.js';
import type { LazyRegistries } from './lazy-registries.js';
import type { BuildOptions, BuildResult, OutputReport } from './options.js';
import { outputsOf } from './require-exportable.js';
import type { StepCounter } from './steps.js';

interface ExportInput {
  readonly options: BuildOptions;
  readonly store: Store;
  readonly machines: Machines;
  readonly registries: LazyRegistries;
  readonly converted: Converted;
  readonly ref: RefId;
  readonly job: JobContext;
  readonly counter: StepCounter;
  readonly startedAt: number;
  readonly provenance?: ProvenancePredicate;
}

/** Hands the result to every output that is asked for, and tells what was built. */
export async function exportResult(input: ExportInput): Promise<Omit<BuildResult, 'invocationId'>> {
  const { options, store, machines, registries, converted, ref, job, counter, provenance } = input;
  const outputs = outputsOf(options);
  const given = (options.tags ?? []).map(parseReference);
  const tags = given.map(withDefaultTag);
  const epoch = converted.epoch;
  const annotations = options.annotations ?? [];
  let image: Promise<{ readonly built: BuiltImage; readonly made: MadeImage }> | undefined;
  const assemble = (): NonNullable<typeof image> =>
    (image ??= assembleImage(input).then(async (built) => {
      if (!outputs.some(readsTrees)) machines.stop().catch(() => undefined); // thrown to who waits for it
      const manifest = annotationsAt('manifest', annotations, built.config);
      return { built, made: await makeImage(built, store.blobs, epoch, manifest) };
    }));
  let exported: MadeImage | undefined;
  let stored: MadeImage | undefined;
  const reports: OutputReport[] = [];
  for (const output of outputs) {
    const context = {
      ref,
      platform: platformOf(converted),
      tags: given,
      annotations,
      store,
      registries,
      epoch,
      ...attestation(input),
      image: assemble,
      exportTree: (request: Parameters<Machines['exportTree']>[0]) => machines.exportTree(request, job),
    };
    const one = await exporterFor(output).export(context, job);
    reports.push(reportOf(output, one));
    exported = one.image ?? exported;
    stored = one.stored ?? stored;
  }
  const counts = counter.counts;
  const told = {
    outputs: reports,
    pushed: reports.flatMap((report) => report.pushed),
    counts,
    ...(provenance && { provenance }),
  };
  if (!image) return { size: 0, layers: [], tags: [], names: [], ...told };
  const { built, made } = await image;
  if (counts.ran > 0) await rememberTime(input, stored ?? made);
  return {
    manifestDigest: targetOf(stored ?? made).digest,
    configDigest: (exported ?? made).config.digest,
    ...(exported && { exported: descriptorOf(exported, platformOf(converted)) }),
    size: built.layers.reduce((sum, layer) => sum + layer.size, 0),
    layers: layerSummary(built),
    tags: tags.map(familiarReference),
    names: namesOf(outputs, tags),
    ...told,
  };
}

/** Whether an output needs more of the result than its layers. */
function readsTrees({ type }: OutputSpec): boolean {
  return type === 'local' || type === 'tar';
}

function reportOf(output: OutputSpec, { image, stored, pushed }: Exported): OutputReport {
  return {
    type: output.type,
    pushed,
    ...('dest' in output && { dest: output.dest }),
    ...(image && { digest: targetOf(image).digest }),
    ...(stored && { stored: targetOf(stored).digest }),
  };
}

/** As buildx tells it: a manifest with its platform, an index without. */
function descriptorOf(image: MadeImage, platform: Platform): Descriptor {
  const { mediaType, digest, size } = targetOf(image);
  const annotations = image.descriptorAnnotations;
  return { mediaType, digest, size, ...(annotations && { annotations }), ...(!image.attested && { platform }) };
}

function platformOf({ config }: Converted): Platform {
  const { architecture, os, variant } = config;
  return { architecture, os, ...(variant !== undefined && { variant }) };
}

function namesOf(outputs: readonly OutputSpec[], tags: readonly Reference[]): readonly string[] {
  const own = outputs.flatMap((output) => ('names' in output ? output.names : []));
  const references = [...tags, ...own.map((name) => withDefaultTag(parseReference(name)))];
  return [...new Set(references.map(formatReference))];
}

/** What the outputs are to carry. */
function attestation({ options, converted, provenance }: ExportInput): { readonly provenance?: Provenance } {
  if (!provenance || !options.provenance || !options.provenance.attached) return {};
  return { provenance: { predicate: provenance, options: options.provenance, platform: platformOf(converted) } };
}

/** The stack of refs as layers; those that are trees are packed now. */
async function assembleImage({ store, machines, converted, ref, job }: ExportInput): Promise<BuiltImage> {
  const chain = ref === null ? [] : await store.refs.chain(ref);
  const layers = await allOrAbort(
    job.signal,
    chain.map((record) => async (signal): Promise<ResultLayer> => {
      const fact = await machines.layer(facesOf(record), { signal });
      await store.holding.hold('blob', fact.blob.digest);
      const size = await machines.layerSize(fact, { signal });
      const { createdAt, description } = record;
      const made = { ...(createdAt !== undefined && { createdAt }), ...(description !== undefined && { description }) };
      return { ...fact, size, ...made };
    }),
  );
  return { layers, config: converted.config, baseHistory: converted.baseConfig?.history ?? [] };
}

/** How long it took to build an image, for `compare`; a build that found everything in the cache says nothing new. */
async function rememberTime({ store, job, startedAt }: ExportInput, made: MadeImage): Promise<void> {
  await store.records.saveFact(`build-${hexOf(made.manifest.digest)}`, { durationMs: job.now() - startedAt });
}

function layerSummary({ layers, config }: BuiltImage): BuildResult['layers'] {
  const steps = (config.history ?? []).filter((entry) => !entry.empty_layer);
  return layers.map(({ diffId, size }, i) => ({ diffId, size, createdBy: steps[i]?.created_by ?? '' }));
}
