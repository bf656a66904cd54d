import { BuildError } from '../base/errors.js';
import { formatPlatform, parsePlatform, type Platform } from '../oci/platform.js';

const LEVELS = ['manifest', 'manifest-descriptor', 'index', 'index-descriptor'] as const;

/** Where an annotation stands: in a document, or in the descriptor that leads to it. */
export type AnnotationLevel = (typeof LEVELS)[number];

export interface ScopedAnnotation {
  readonly level: AnnotationLevel;
  /** Only for the image of this platform; undefined for any. */
  readonly platform?: string;
  readonly key: string;
  readonly value: string;
}

/** Members of one document or descriptor. */
export type Annotations = Readonly<Record<string, string>>;

/** The option `annotation[-LEVEL][[PLATFORM]].KEY` of an output; undefined for another option. Throws USAGE. */
export function annotationOption(option: string, value: string): ScopedAnnotation | undefined {
  const [, level = 'manifest', platform, key] =
    /^annotation(?:-([a-z-]+))?(?:\[([^\]]*)\])?\.(\S+)$/.exec(option) ?? [];
  return key === undefined ? undefined : scoped(level, platform, key, value);
}

/**
 * Reads `--annotation`: `KEY=VALUE`, or `LEVEL[[PLATFORM]][,LEVEL…]:KEY=VALUE` as buildx has it; without a level it is of
 * the manifest. Throws USAGE.
 */
export function parseAnnotation(text: string): readonly ScopedAnnotation[] {
  const equals = text.indexOf('=');
  if (equals < 0) throw usage(text, 'it is not `key=value`');
  const [, levels, key] = /^(?:([a-z-]+(?:\[[^\]]*\])?(?:,[a-z-]+(?:\[[^\]]*\])?)*):)?(.*)$/s.exec(
    text.slice(0, equals),
  ) as unknown as [string, string?, string?];
  if (!key) throw usage(text, 'it has no key');
  const value = text.slice(equals + 1);
  return (levels ?? 'manifest').split(',').map((one) => {
    const [, level = '', platform] = /^([a-z-]+)(?:\[([^\]]*)\])?$/.exec(one) ?? [];
    return scoped(level, platform, key, value);
  });
}

/** The annotations of one level that apply to the image of `platform`. */
export function annotationsAt(
  level: AnnotationLevel,
  all: readonly ScopedAnnotation[],
  platform: Platform,
): Annotations {
  const own = formatPlatform(platform);
  const matching = all.filter((one) => one.level === level && (one.platform === undefined || one.platform === own));
  return Object.fromEntries(matching.map(({ key, value }) => [key, value]));
}

function scoped(level: string, platform: string | undefined, key: string, value: string): ScopedAnnotation {
  const known = LEVELS.find((one) => one === level);
  if (!known) throw usage(`${level}:${key}`, `\`${level}\` is none of ${LEVELS.join(', ')}`);
  return { level: known, ...(platform && { platform: formatPlatform(parsePlatform(platform)) }), key, value };
}

function usage(text: string, what: string): BuildError {
  return new BuildError('USAGE', `invalid annotation \`${text}\`: ${what}`, {
    hint: 'write `--annotation key=value`, or `--annotation index:key=value` for another place than the manifest',
  });
}
