import { BuildError } from '../base/errors.js';
import { withSuggestion } from '../base/suggest.js';
import { FileTreeExporter } from './file-tree.js';
import { ImageArchiveExporter } from './image-archive.js';
import { ImageStoreExporter } from './image-store.js';
import type { Exporter, OutputSpec } from './types.js';

const TYPES = ['image', 'oci', 'docker', 'local', 'tar'] as const;
const ARCHIVE_KEYS = [
  'dest',
  'tar',
  'name',
  'compression',
  'compression-level',
  'force-compression',
  'rewrite-timestamp',
  'oci-artifact',
];
const KEYS: Readonly<Record<(typeof TYPES)[number], readonly string[]>> = {
  image: ['name', 'oci-artifact'],
  oci: ARCHIVE_KEYS,
  docker: ARCHIVE_KEYS,
  local: ['dest'],
  tar: ['dest'],
};

/**
 * Reads the value of `-o` as buildx does: `type=oci,dest=image.tar`, a bare path for `type=local`, `-` for
 * `type=tar,dest=-`. Throws BuildError USAGE.
 */
export function parseOutput(text: string): OutputSpec {
  if (text === '-') return { type: 'tar', dest: '-' };
  if (!text.includes('=')) return { type: 'local', dest: text };
  const given = new Map<string, string>();
  for (const part of splitCsv(text)) {
    const equals = part.indexOf('=');
    if (equals < 0) throw usage(text, `\`${part}\` is not \`key=value\``);
    given.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1));
  }
  const type = given.get('type');
  const known = TYPES.find((one) => one === type);
  if (!known) {
    if (type === undefined) throw usage(text, '`type=` is missing');
    throw usage(
      text,
      withSuggestion(`unknown type \`${type}\``, type, TYPES, false),
      `the types are: ${TYPES.join(', ')}`,
    );
  }
  for (const key of given.keys()) {
    if (key === 'type' || KEYS[known].includes(key)) continue;
    throw usage(text, withSuggestion(`\`type=${known}\` has no option \`${key}\``, key, KEYS[known], false));
  }
  const names = (given.get('name') ?? '').split(',').filter((name) => name !== '');
  const ociArtifact = boolean(text, given, 'oci-artifact', true);
  if (known === 'image') return { type: known, names, ociArtifact };
  const dest = given.get('dest');
  if (known === 'local' || known === 'tar') {
    if (!dest) throw usage(text, `\`type=${known}\` needs \`dest=\``);
    return { type: known, dest };
  }
  const tar = boolean(text, given, 'tar', true);
  if (!dest && known === 'oci') throw usage(text, `\`type=${known}\` needs \`dest=\``);
  if (!dest && !tar) throw usage(text, 'a directory needs `dest=`');
  if (!tar && dest === '-') throw usage(text, 'a directory cannot be written to stdout');
  return {
    type: known,
    ...(dest && { dest }),
    tar,
    names,
    ociArtifact,
    compression: compression(text, given),
    compressionLevel: level(text, given),
    forceCompression: boolean(text, given, 'force-compression', false),
    rewriteTimestamp: boolean(text, given, 'rewrite-timestamp', false),
  };
}

/** A new kind of output is a member of `OutputSpec`, its options above, its exporter in a file of its own, and a line here. */
export function exporterFor(spec: OutputSpec): Exporter {
  switch (spec.type) {
    case 'image':
      return new ImageStoreExporter(spec);
    case 'oci':
    case 'docker':
      return new ImageArchiveExporter(spec);
    case 'local':
      return new FileTreeExporter('directory', spec.dest);
    case 'tar':
      return new FileTreeExporter('tar', spec.dest);
  }
}

/** Go's encoding/csv for one record: fields may be quoted as a whole, `""` is a quote. */
function splitCsv(text: string): string[] {
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quoted && c === '"' && text[i + 1] === '"') field += text[i++];
    else if (c === '"' && (quoted || field === '')) quoted = !quoted;
    else if (c === ',' && !quoted) {
      fields.push(field);
      field = '';
    } else field += c;
  }
  if (quoted) throw usage(text, 'a quote is not closed');
  return [...fields, field];
}

function compression(text: string, given: ReadonlyMap<string, string>): 'gzip' | 'uncompressed' {
  const value = given.get('compression') ?? 'gzip';
  if (value === 'gzip' || value === 'uncompressed') return value;
  throw usage(text, `compression \`${value}\` is not supported by this version`, 'take `gzip` or `uncompressed`');
}

function level(text: string, given: ReadonlyMap<string, string>): number {
  const value = given.get('compression-level') ?? '6';
  if (!/^[0-9]$/.test(value)) throw usage(text, `\`compression-level\` must be 0 to 9, not \`${value}\``);
  return Number(value);
}

function boolean(text: string, given: ReadonlyMap<string, string>, key: string, fallback: boolean): boolean {
  const value = given.get(key);
  if (value === undefined) return fallback;
  if (value === 'true' || value === '1' || value === '') return true;
  if (value === 'false' || value === '0') return false;
  throw usage(text, `\`${key}\` must be \`true\` or \`false\`, not \`${value}\``);
}

function usage(text: string, what: string, hint?: string): BuildError {
  return new BuildError('USAGE', `invalid output \`${text}\`: ${what}`, hint === undefined ? {} : { hint });
}
