import { BuildError } from '../base/errors.js';
import { withSuggestion } from '../base/suggest.js';
import { compressionLevels } from '../layer/compression.js';
import { annotationOption } from './annotations.js';
import type { Compression } from './layer-form.js';
import { OutputOptions } from './output-options.js';
import type { FilesOutput, ImageForm, OutputSpec } from './types.js';

const IMAGE_KEYS = ['oci-mediatypes', 'oci-artifact', 'compression', 'compression-level', 'force-compression'];
const FORM_KEYS = ['name', ...IMAGE_KEYS, 'rewrite-timestamp'];
const PUSH_KEYS = ['push', 'push-by-digest', 'registry.insecure', 'store', 'name-canonical', 'dangling-name-prefix'];
const FILES_KEYS = ['platform-split', 'attestation-prefix'];

/** What `-o` may ask for: the options of each type, by name. */
const OUTPUTS = {
  image: { keys: [...FORM_KEYS, ...PUSH_KEYS], read: imageOutput },
  registry: { keys: [...FORM_KEYS, ...PUSH_KEYS], read: imageOutput },
  oci: { keys: ['dest', 'tar', ...FORM_KEYS], read: archiveOutput },
  docker: { keys: ['dest', 'tar', ...FORM_KEYS], read: archiveOutput },
  local: { keys: ['dest', 'mode', ...FILES_KEYS], read: localOutput },
  tar: { keys: ['dest', ...FILES_KEYS], read: tarOutput },
  cacheonly: { keys: [], read: (): OutputSpec => ({ type: 'cacheonly' }) },
} as const satisfies Readonly<
  Record<string, { keys: readonly string[]; read: (options: OutputOptions) => OutputSpec }>
>;

type OutputType = keyof typeof OUTPUTS;

const TYPES = Object.keys(OUTPUTS) as readonly OutputType[];

/** Options of BuildKit's that change nothing here, with the reason. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  unpack: 'a base is unpacked when a RUN stands on it',
  buildinfo: 'BuildKit has dropped it',
  'buildinfo-attrs': 'BuildKit has dropped it',
};

/** Options of BuildKit's that this version has not: what to do in place of each. */
const REFUSED: Readonly<Record<string, string>> = {
  'prefer-nondist-layers': 'foreign layers of a base stay foreign, and none is made',
  'attestation-inline': 'attestations stand in an index beside the image',
  'compatibility-version': 'images are as those of the newest BuildKit',
  'source-date-epoch': 'set SOURCE_DATE_EPOCH in the environment or as a build argument',
};

/**
 * Reads the value of `-o` as buildx does: `type=oci,dest=image.tar`, a bare path for `type=local`, `-` for
 * `type=tar,dest=-`. Throws BuildError USAGE, and UNSUPPORTED for options that only BuildKit has.
 */
export function parseOutput(text: string): OutputSpec {
  const form = { platformSplit: false, attestationPrefix: '' };
  if (text === '-') return { type: 'tar', dest: '-', ...form };
  if (text === '') {
    const hint = 'give a path, `-` or `type=…`; an empty variable, perhaps?';
    throw new BuildError('USAGE', 'an output is named by nothing', { hint });
  }
  if (!text.includes('=')) return { type: 'local', dest: text, mode: 'copy', ...form };
  const options = new OutputOptions(text);
  const type = options.get('type');
  if (type === undefined) throw options.usage('`type=` is missing', `the types are: ${TYPES.join(', ')}`);
  const known = TYPES.find((one) => one === type);
  if (!known) {
    const what = withSuggestion(`unknown type \`${type}\``, type, TYPES, false);
    throw options.usage(what, `the types are: ${TYPES.join(', ')}`);
  }
  const { keys, read } = OUTPUTS[known];
  for (const key of options.keys) requireKnown(key, known, keys, options);
  return read(options);
}

function requireKnown(key: string, type: OutputType, keys: readonly string[], options: OutputOptions): void {
  const hasImage = keys.includes('name');
  if (key === 'type' || keys.includes(key) || Object.hasOwn(WITHOUT_EFFECT, key)) return;
  if (hasImage && /^annotation[-.[]/.test(key)) return;
  if (Object.hasOwn(REFUSED, key)) throw options.unsupported(`the option \`${key}\``, REFUSED[key]!);
  throw options.usage(withSuggestion(`\`type=${type}\` has no option \`${key}\``, key, keys, false));
}

function imageOutput(options: OutputOptions): OutputSpec {
  const push = options.boolean('push', options.get('type') === 'registry');
  const prefix = options.get('dangling-name-prefix');
  return {
    type: 'image',
    ...formOf(options),
    push,
    pushByDigest: options.boolean('push-by-digest', false),
    insecure: options.boolean('registry.insecure', false),
    // What is only pushed is not listed among the images of this machine, as with buildx.
    store: options.boolean('store', options.get('type') === 'image'),
    canonicalName: options.boolean('name-canonical', false),
    ...(prefix !== undefined && { danglingNamePrefix: prefix }),
  };
}

function archiveOutput(options: OutputOptions): OutputSpec {
  const type = options.get('type') as 'oci' | 'docker';
  const tar = options.boolean('tar', true);
  const dest = options.get('dest');
  const form = formOf(options);
  if (!dest && type === 'docker' && tar) return { type: 'engine', ...form };
  if (!dest) throw options.usage(`\`type=${type}\` needs \`dest=\``);
  if (!tar && dest === '-') throw options.usage('a directory cannot be written to stdout');
  return { type, dest, tar, ...form };
}

function localOutput(options: OutputOptions): OutputSpec {
  const files = filesOf(options);
  if (files.dest === '-') throw options.usage('a directory cannot be written to stdout');
  return { type: 'local', ...files, mode: options.oneOf('mode', ['copy', 'delete'], 'copy') };
}

function tarOutput(options: OutputOptions): OutputSpec {
  return { type: 'tar', ...filesOf(options) };
}

function filesOf(options: OutputOptions): Omit<FilesOutput, 'type'> {
  const dest = options.get('dest');
  if (!dest) throw options.usage(`\`type=${options.get('type')}\` needs \`dest=\``);
  const attestationPrefix = options.get('attestation-prefix') ?? '';
  if (attestationPrefix.includes('/')) throw options.usage('`attestation-prefix` is part of a file name, not a path');
  return { dest, platformSplit: options.boolean('platform-split', false), attestationPrefix };
}

function formOf(options: OutputOptions): ImageForm {
  const mediaTypes = options.boolean('oci-mediatypes', true) ? 'oci' : 'docker';
  const compression = compressionOf(options);
  const { least, most, usual } =
    compression === 'uncompressed' ? compressionLevels.gzip : compressionLevels[compression];
  if (mediaTypes === 'docker' && options.boolean('oci-artifact', false)) {
    throw options.usage('exporter option "oci-artifact=true" conflicts with "oci-mediatypes=false"'); // BuildKit's words
  }
  return {
    names: (options.get('name') ?? '').split(',').filter((name) => name !== ''),
    mediaTypes,
    ociArtifact: options.boolean('oci-artifact', mediaTypes === 'oci'),
    compression,
    compressionLevel: options.whole('compression-level', least, most, usual),
    forceCompression: options.boolean('force-compression', false),
    rewriteTimestamp: options.boolean('rewrite-timestamp', false),
    annotations: options.keys.flatMap((key) => annotationOption(key, options.get(key)!) ?? []),
  };
}

function compressionOf(options: OutputOptions): Compression {
  const value = options.get('compression');
  if (value === 'estargz') throw options.unsupported('compression `estargz`', 'take `gzip`, `zstd` or `uncompressed`');
  return options.oneOf('compression', ['gzip', 'zstd', 'uncompressed'], 'gzip');
}
