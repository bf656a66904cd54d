import { BuildError } from '../base/errors.js';
import { detectSyntax } from '../dockerfile/directives.js';
import { formatReference, parseReference, withDefaultTag } from '../oci/reference.js';
import type { DockerfileSource } from './contexts.js';

/** The Dockerfile frontend, in any version and from any mirror: its language is the one that Slipway reads itself. */
const OWN = /(^|\/)docker\/dockerfile(-upstream)?(:[^/]*)?(@.*)?$/;

/**
 * Refuses a `# syntax=` that names another frontend than the Dockerfile's: what the file means is then not known here.
 * The build argument BUILDKIT_SYNTAX wins over the file. Throws BASE_NOT_FOUND, for no frontend image can be run.
 */
export function requireOwnFrontend(
  { fileName, source }: DockerfileSource,
  buildArgs: Readonly<Record<string, string>>,
): void {
  const given = buildArgs['BUILDKIT_SYNTAX']?.split(' ', 1)[0];
  const directive = given === undefined ? detectSyntax(source) : undefined;
  const name = given ?? directive?.value;
  if (name === undefined || OWN.test(name) || given === 'dockerfile.v0') return;
  const full = formatReference(withDefaultTag(parseReference(name)));
  const error = new BuildError('BASE_NOT_FOUND', `failed to resolve source metadata for ${full}: ${full}: not found`, {
    hint: `\`${name}\` is another frontend; Slipway reads the language of \`docker/dockerfile\` only`,
  });
  if (directive) error.place = { fileName, source, startLine: directive.line, endLine: directive.line };
  throw error;
}
