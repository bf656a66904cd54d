import path from 'node:path';
import { replaceFile } from '../../base/atomic-file.js';
import { BuildError, hasCode } from '../../base/errors.js';
import type { BuildResult } from '../../build/index.js';
import { parseAttestations, type AttestFlag, type ProvenanceOptions } from '../../exporter/provenance/options.js';
import { toSlsa02 } from '../../exporter/provenance/slsa02.js';
import type { BuildEvent } from '../../job/events.js';
import { isIndexType } from '../../oci/descriptor.js';
import { warningStatus } from '../output/rawjson.js';

type Warning = Extract<BuildEvent, { readonly type: 'check' }>;

/**
 * `--metadata-file`, with the keys of buildx; the digest is that of the image as it was exported. BUILDX_METADATA_PROVENANCE
 * (`min`, `max`, `disabled`) and BUILDX_METADATA_WARNINGS say how much more is told. Slipway's own key, `slipway.isolation`,
 * says how RUN was isolated.
 */
export function buildMetadata(
  result: BuildResult,
  warnings: readonly Warning[],
  env: NodeJS.ProcessEnv,
): Readonly<Record<string, unknown>> {
  const { exported, names, invocationId, isolation } = result;
  const provenance = provenanceMetadata(result, env);
  const config = imageId(result);
  const told = isTrue(env['BUILDX_METADATA_WARNINGS']) ? warnings : [];
  return {
    ...(provenance && { 'buildx.build.provenance': provenance }),
    'buildx.build.ref': `slipway/slipway/${invocationId}`,
    ...(told.length > 0 && { 'buildx.build.warnings': told.map((warning) => warningStatus(undefined, warning)) }),
    ...(exported && {
      ...(config !== exported.digest && { 'containerimage.config.digest': config }),
      'containerimage.descriptor': exported,
      'containerimage.digest': exported.digest,
      ...(names.length > 0 && { 'image.name': names.join(',') }),
    }),
    ...(isolation && { 'slipway.isolation': isolation }),
  };
}

/** What buildx calls the ID of an image: its config's digest, or its index's where it has one. */
export function imageId({ configDigest, exported }: BuildResult): string | undefined {
  return exported && isIndexType(exported.mediaType) ? exported.digest : configDigest;
}

/** In the words of SLSA 0.2, as buildx writes it whatever was attested. */
function provenanceMetadata({ provenance }: BuildResult, env: NodeJS.ProcessEnv): object | undefined {
  const mode = env['BUILDX_METADATA_PROVENANCE'] ?? '';
  if (!provenance || mode === 'disabled' || isFalse(mode)) return undefined;
  const { buildConfig, metadata, ...least } = toSlsa02(provenance);
  return mode === 'max' ? { ...least, ...(buildConfig && { buildConfig }), metadata } : least;
}

/** As Go's strconv.ParseBool. */
function isTrue(text = ''): boolean {
  return /^(?:1|t|T|TRUE|true|True)$/.test(text);
}

function isFalse(text: string): boolean {
  return /^(?:0|f|F|FALSE|false|False)$/.test(text);
}

/**
 * Reads `--provenance`, `--sbom`, `--attest` and BUILDX_NO_DEFAULT_ATTESTATIONS. Without any, nothing is attached to the
 * image, and the metadata tell the provenance.
 */
export function attestationFlags(
  flags: { readonly provenance?: string; readonly sbom?: string; readonly attest?: readonly string[] },
  env: NodeJS.ProcessEnv,
): ProvenanceOptions | false | undefined {
  const given: AttestFlag[] = (flags.attest ?? []).map((value) => ({ flag: 'attest', value }));
  if (flags.provenance !== undefined) given.push({ flag: 'provenance', value: flags.provenance });
  if (flags.sbom !== undefined) given.push({ flag: 'sbom', value: flags.sbom });
  return parseAttestations(given) ?? (isTrue(env['BUILDX_NO_DEFAULT_ATTESTATIONS']) ? false : undefined);
}

/** Writes a file that is asked for beside the image; it is there whole or not at all. */
export async function writeResult(file: string, content: string): Promise<void> {
  try {
    await replaceFile(path.resolve(file), content);
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENOSPC')) throw error;
    throw new BuildError('EXPORT_FAILED', `cannot write \`${file}\`: ${(error as Error).message}`, {
      hint: 'the image was built; give a path that this user may write',
      cause: error,
    });
  }
}
