import type { ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { PatternMatcher, type DirMatch } from '../../dockerfile/ignore/pattern-matcher.js';

/** What a filter said of one path; handed back to it for the paths below. */
export type FilterState = Pick<DirMatch, 'matched' | 'skippable' | 'patternMatches'>;

/** A list of patterns in the dialect of .dockerignore, asked top down while a tree is walked. */
export interface PathFilter {
  /** `parent` is what it said of the directory that `path` lies in; undefined at the top. */
  judge(path: ByteString, parent: FilterState | undefined): FilterState;
}

/** The filter of a copy or context; undefined for no patterns. Throws BuildError COPY_FAILED `invalid excludepatterns: ...`. */
export function parseFilter(
  kind: 'include' | 'exclude',
  patterns: readonly string[] | undefined,
): PathFilter | undefined {
  if (patterns === undefined || patterns.length === 0) return undefined;
  try {
    const matcher = new PatternMatcher(patterns);
    return { judge: (path, parent) => matcher.enterDir(path, parent ?? matcher.root) };
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    throw new BuildError('COPY_FAILED', `invalid ${kind}patterns: [${patterns.join(' ')}]: ${error.message}`, {
      cause: error,
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
}
