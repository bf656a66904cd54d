import { BuildError } from '../../base/errors.js';
import { formatPlatform, normalizePlatform, type Platform } from '../../oci/platform.js';
import { familiarReference, parseReference } from '../../oci/reference.js';
import type { ConvertOptions, NamedContext } from './options.js';

export interface FoundContext {
  /** As in the options. */
  readonly name: string;
  readonly context: NamedContext;
}

const RESERVED: ReadonlySet<string> = new Set(['scratch', 'context']);

/** The named context for a stage or image name; one for the very platform comes first. */
export function findContext(options: ConvertOptions, name: string, platform: Platform): FoundContext | undefined {
  if (options.contexts === undefined || RESERVED.has(name.toLowerCase())) return undefined;
  const plain = contextName(name);
  for (const key of [`${plain}::${formatPlatform(normalizePlatform(platform))}`, plain]) {
    const context = options.contexts.get(key);
    if (context !== undefined) return { name: key, context };
  }
  return undefined;
}

/** `docker.io/library/node:latest`, `node:latest` and `node` are one name. */
export function contextName(name: string): string {
  try {
    return familiarReference(parseReference(name)).replace(/:latest$/, '');
  } catch (error) {
    if (error instanceof BuildError && error.code === 'REFERENCE_INVALID') return name;
    throw error;
  }
}
