import { BuildError } from '../../base/errors.js';
import { parseCsv } from '../../dockerfile/csv.js';
import { withSuggestion } from '../../base/suggest.js';

/** `--provenance`, read and checked. */
export interface ProvenanceOptions {
  /** `max` tells build arguments, labels, ids of secrets, the graph and the Dockerfile too. */
  readonly mode: 'min' | 'max';
  /** Of SLSA. */
  readonly version: 'v1' | 'v0.2';
  /** A URI of who builds; '' when nobody says. */
  readonly builderId: string;
  /** The caller's word that a second build gives the same. */
  readonly reproducible: boolean;
  /** Of the file beside `type=local` and in `type=tar`. */
  readonly filename: string;
  /** Whether images get it; otherwise only the result of the build tells it. */
  readonly attached: boolean;
}

/** What buildx asks for when nobody says anything, without attaching it. */
export const DEFAULT_PROVENANCE: ProvenanceOptions = {
  mode: 'min',
  version: 'v1',
  builderId: '',
  reproducible: false,
  filename: 'provenance.json',
  attached: false,
};

const KEYS = ['mode', 'version', 'builder-id', 'reproducible', 'filename', 'inline-only'];

/** A flag as it was given: `--provenance`, `--sbom` or `--attest`, and its value. */
export interface AttestFlag {
  readonly flag: 'provenance' | 'sbom' | 'attest';
  readonly value: string;
}

/**
 * Reads them as buildx does: `--provenance=mode=max` stands for `--attest=type=provenance,mode=max`, and of each type
 * one may be asked for. Gives undefined when nothing is said, false when none is wanted. Throws USAGE, and UNSUPPORTED
 * for an SBOM.
 */
export function parseAttestations(flags: readonly AttestFlag[]): ProvenanceOptions | false | undefined {
  const read = flags.map(({ flag, value }) => {
    const attrs = readAttrs(flag, value);
    const type = flag === 'attest' ? attrs.get('type') : flag;
    if (type === undefined) throw usage(flag, value, '`type=` is missing');
    return { flag, value, type, attrs };
  });
  let provenance: ProvenanceOptions | false | undefined;
  for (const { flag, value, type, attrs } of read) {
    const wanted = !isTrue(flag, value, attrs.get('disabled') ?? 'false');
    if (type === 'sbom') {
      if (wanted) throw noSbom();
    } else if (type !== 'provenance') throw usage(flag, value, `unknown attestation type \`${type}\``);
    else if (provenance !== undefined) throw usage(flag, value, 'provenance was asked for before');
    else provenance = wanted && provenanceOptions(flag, value, attrs);
  }
  return provenance;
}

function readAttrs(flag: AttestFlag['flag'], value: string): ReadonlyMap<string, string> {
  const enabled = flag === 'attest' ? undefined : asBoolean(value);
  if (enabled !== undefined) return new Map([['disabled', String(!enabled)]]);
  let fields: readonly string[];
  try {
    fields = parseCsv(value);
  } catch (error) {
    throw usage(flag, value, (error as Error).message);
  }
  return new Map(
    fields.map((field): [string, string] => {
      const equals = field.indexOf('=');
      if (equals < 0) throw usage(flag, value, `\`${field}\` is not \`key=value\``);
      return [field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1)];
    }),
  );
}

function provenanceOptions(
  flag: AttestFlag['flag'],
  value: string,
  attrs: ReadonlyMap<string, string>,
): ProvenanceOptions {
  for (const key of attrs.keys()) {
    if (key === 'type' || key === 'disabled' || KEYS.includes(key)) continue;
    throw usage(flag, value, withSuggestion(`provenance has no option \`${key}\``, key, KEYS, false));
  }
  // BuildKit's default, where an attestation is asked for without a mode.
  const mode = attrs.get('mode') ?? 'max';
  const version = attrs.get('version') ?? 'v1';
  if (mode !== 'min' && mode !== 'max' && mode !== 'full') throw usage(flag, value, `invalid mode \`${mode}\``);
  if (version !== 'v1' && version !== 'v0.2') throw usage(flag, value, `invalid version \`${version}\` of SLSA`);
  return {
    mode: mode === 'min' ? 'min' : 'max',
    version,
    builderId: attrs.get('builder-id') ?? '',
    reproducible: isTrue(flag, value, attrs.get('reproducible') ?? 'false'),
    filename: fileName(flag, value, attrs.get('filename') ?? DEFAULT_PROVENANCE.filename),
    attached: !isTrue(flag, value, attrs.get('inline-only') ?? 'false'),
  };
}

function fileName(flag: AttestFlag['flag'], value: string, name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/')) {
    throw usage(flag, value, '`filename` must be the name of a file, without a directory');
  }
  return name;
}

function isTrue(flag: AttestFlag['flag'], value: string, text: string): boolean {
  const read = asBoolean(text);
  if (read === undefined) throw usage(flag, value, `\`${text}\` is neither \`true\` nor \`false\``);
  return read;
}

/** As Go's strconv.ParseBool. */
function asBoolean(text: string): boolean | undefined {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(?:0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

function usage(flag: AttestFlag['flag'], value: string, what: string): BuildError {
  return new BuildError('USAGE', `invalid \`--${flag}=${value}\`: ${what}`, {
    hint: 'write it as `--provenance=mode=min`, `--provenance=mode=max` or `--provenance=false`',
  });
}

function noSbom(): BuildError {
  return new BuildError('UNSUPPORTED', 'SBOM attestations are not supported by this version', {
    hint: 'scan the image after the build, with `syft` or `trivy` for example, and attach what it finds',
  });
}
