import { BuildError } from '../../base/errors.js';
import type { BuildOptions, OutputSpec } from '../../build/index.js';
import { parseOutput } from '../../build/index.js';
import { parseAnnotation } from '../../exporter/annotations.js';
import { parseBool } from '../../dockerfile/go-text.js';
import { parseSecrets } from '../commands/build-flags.js';
import { nameValues } from '../commands/name-values.js';
import { contextOf } from './context.js';
import type { GivenFlags } from './parse-flags.js';
import { registriesOf } from './registries.js';

/** The build that a command line of kaniko's executor asks for. Throws USAGE, UNSUPPORTED. */
export function buildOptionsOf(
  flags: GivenFlags,
  env: NodeJS.ProcessEnv,
): Omit<BuildOptions, 'signal' | 'emit' | 'outputs'> & { readonly outputs: readonly OutputSpec[] } {
  requireDestination(flags, env);
  const target = flags.text('target');
  const platform = flags.text('custom-platform');
  const place = contextOf(flags, env);
  return {
    ...place,
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
    secrets: { ...gitCredentials(place.context, env), ...parseSecrets(flags.list('secret'), env) },
    tags: flags.list('destination'),
    buildArgs: buildArgs(flags, env),
    labels: nameValues('--label', flags.list('label')),
    annotations: flags.list('annotation').flatMap(parseAnnotation),
    offline: parseBool(env['SLIPWAY_OFFLINE'] ?? '') ?? false,
    noCache: flags.boolean('cache') === false,
    registries: registriesOf(flags, env),
    outputs: outputs(flags, env),
  };
}

function requireDestination(flags: GivenFlags, env: NodeJS.ProcessEnv): void {
  if (flags.list('destination').length > 0) return;
  if (!isPushed(flags, env)) {
    const file = (['image-name-with-digest-file', 'image-name-tag-with-digest-file'] as const).find(
      (name) => flags.text(name) !== undefined,
    );
    if (file === undefined) return;
    throw new BuildError('USAGE', `\`--${file}\` needs \`--destination\``);
  }
  throw new BuildError('USAGE', 'you must provide --destination, or use --no-push', {
    hint: 'these are flags of kaniko’s executor, see `executor --help`; those of Slipway follow a verb: `slipway build`',
  });
}

function isPushed(flags: GivenFlags, env: NodeJS.ProcessEnv): boolean {
  const variable = env['KANIKO_NO_PUSH'];
  const inherited = variable === undefined ? undefined : parseBool(variable);
  if (variable !== undefined && inherited === undefined) {
    throw new BuildError('USAGE', `KANIKO_NO_PUSH must be \`true\` or \`false\`, not \`${variable}\``);
  }
  return !(inherited ?? flags.boolean('no-push') ?? false);
}

/** GIT_TOKEN, or GIT_USERNAME and GIT_PASSWORD, for the host that the context comes from and for no other. */
function gitCredentials(context: string, env: NodeJS.ProcessEnv): NonNullable<BuildOptions['secrets']> {
  const [, host] = /^https?:\/\/([^/]+)\/[^?]*\.git\?/.exec(context) ?? [];
  const { GIT_TOKEN: token, GIT_USERNAME: user = '', GIT_PASSWORD: password } = env;
  if (host === undefined) return {};
  if (token) return { [`GIT_AUTH_TOKEN.${host}`]: { kind: 'value', value: token } };
  if (!password) return {};
  const basic = Buffer.from(`${user}:${password}`).toString('base64');
  return { [`GIT_AUTH_HEADER.${host}`]: { kind: 'value', value: `basic ${basic}` } };
}

/** What has no value here gets the environment's, or is empty. */
function buildArgs(flags: GivenFlags, env: NodeJS.ProcessEnv): Record<string, string> {
  const reproducible = flags.boolean('reproducible') ? { SOURCE_DATE_EPOCH: env['SOURCE_DATE_EPOCH'] || '0' } : {};
  const given = flags.list('build-arg').map((text) => (text.includes('=') ? text : `${text}=${env[text] ?? ''}`));
  return { ...reproducible, ...nameValues('--build-arg', given) };
}

/** Each output has the same form, so that one digest stands for all. */
function outputs(flags: GivenFlags, env: NodeJS.ProcessEnv): readonly OutputSpec[] {
  const insecure = (flags.boolean('insecure') ?? false) || (flags.boolean('skip-tls-verify') ?? false);
  const form = [...compressionOf(flags), ...(flags.boolean('reproducible') ? ['rewrite-timestamp=true'] : [])];
  const output = (type: string, ...more: readonly string[]): OutputSpec =>
    parseOutput([`type=${type}`, ...form, ...more].map(quoted).join(','));
  const registry = output('registry', `registry.insecure=${insecure}`);
  const keepsImmutable = flags.boolean('push-ignore-immutable-tag-errors') ?? false;
  const layout = flags.text('oci-layout-path');
  const tar = flags.text('tar-path');
  return [
    isPushed(flags, env) ? (registry.type === 'image' ? { ...registry, keepsImmutable } : registry) : output('image'),
    ...(layout === undefined ? [] : [output('oci', `dest=${layout}`, 'tar=false')]),
    ...(tar === undefined ? [] : [output('docker', `dest=${tar}`)]),
  ];
}

function compressionOf(flags: GivenFlags): readonly string[] {
  const type = flags.text('compression') ?? 'gzip';
  const level = flags.text('compression-level') ?? '-1';
  if (type !== 'gzip' && type !== 'zstd') {
    throw new BuildError('USAGE', `\`--compression\` must be \`gzip\` or \`zstd\`, not \`${type}\``);
  }
  return [`compression=${type}`, ...(level === '-1' ? [] : [`compression-level=${level}`])];
}

/** A field of the CSV line that an output is. */
function quoted(field: string): string {
  return /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
