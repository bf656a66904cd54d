import { BuildError } from '../base/errors.js';
import { parseOutput } from '../exporter/output-spec.js';
import { pushNames } from '../exporter/push-destinations.js';
import type { ImageForm, OutputSpec } from '../exporter/types.js';
import { parseReference, parseTag } from '../oci/reference.js';
import type { BuildOptions } from './options.js';

/** What is asked for; without anything the image is kept in the store. */
export function outputsOf({ outputs }: Pick<BuildOptions, 'outputs'>): readonly OutputSpec[] {
  return outputs ?? [parseOutput('type=image')];
}

/** Refuses what no output could give, before anything is built. Throws USAGE and REFERENCE_INVALID. */
export function requireExportable(options: BuildOptions): void {
  const { provenance, tags = [] } = options;
  tags.forEach(parseTag);
  const outputs = outputsOf(options);
  const isAttested = Boolean(provenance && provenance.attached);
  if (outputs.filter((output) => 'dest' in output && output.dest === '-').length > 1) {
    throw new BuildError('USAGE', 'only one output can be written to stdout');
  }
  for (const output of outputs) {
    if ('names' in output) requireForm(output, options, isAttested);
    if (output.type === 'image' && output.push) requirePushable(output, options);
    if (output.type === 'docker' && isAttested) {
      throw new BuildError('USAGE', 'an image with an attestation is an index, and `type=docker` holds none', {
        hint: 'take `type=oci`, or leave out `--provenance`',
      });
    }
  }
}

function requireForm(form: ImageForm, { annotations = [] }: BuildOptions, isAttested: boolean): void {
  form.names.forEach(parseReference);
  if (isAttested && form.mediaTypes === 'docker') {
    throw new BuildError('USAGE', 'cannot export attestations with "oci-mediatypes=false"'); // BuildKit's words
  }
  const hasIndex = [...annotations, ...form.annotations].some(({ level }) => level.startsWith('index'));
  if (!hasIndex || isAttested) return;
  throw new BuildError('USAGE', 'index annotations not supported for single platform export', {
    hint: 'an index is made only for an image with attestations; annotate the manifest',
  });
}

function requirePushable(output: Extract<OutputSpec, { type: 'image' }>, { tags = [], offline }: BuildOptions): void {
  pushNames((output.names.length > 0 ? output.names : tags).map(parseReference), output.pushByDigest);
  if (!offline) return;
  throw new BuildError('USAGE', 'an offline build cannot push', {
    hint: 'leave out `--offline`, and SLIPWAY_OFFLINE in the environment',
  });
}
