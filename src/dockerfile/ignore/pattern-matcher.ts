import { toText, type ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { trim } from '../go-text.js';
import { cleanPath } from './clean-path.js';
import { Pattern } from './pattern.js';

/** What is known about a directory while a tree is walked; its entries are judged with it. */
export interface DirMatch {
  readonly matched: boolean;
  /** The directory is matched, and no `!` pattern can take anything below it back: there is no need to enter it. */
  readonly skippable: boolean;
  /** One a pattern: 1 if it matches the directory or one above it. Empty for the root. */
  readonly patternMatches: Uint8Array;
}

/**
 * A list of patterns in which the last one that matches decides, a match of a directory counts for what is below it,
 * and a leading `!` takes a match back. Used for `.dockerignore`, `--exclude` and include lists.
 * Paths are relative to the root of the walk, clean, separated by `/`.
 */
export class PatternMatcher {
  readonly patterns: readonly Pattern[];
  readonly hasExclusions: boolean;
  /** To judge the entries of the root with. */
  readonly root: DirMatch = { matched: false, skippable: false, patternMatches: new Uint8Array() };

  /** Empty lines are left out. Throws DOCKERFILE_INVALID for a pattern that is not sound. */
  constructor(lines: readonly string[]) {
    this.patterns = lines.flatMap((line) => parsePattern(line) ?? []);
    this.hasExclusions = this.patterns.some((pattern) => pattern.exclusion);
  }

  /** For a single path, without a walk: looks at the path and at every directory above it. */
  matches(path: ByteString): boolean {
    const text = toText(path);
    const slashes = [...text.matchAll(/\//g)].map((slash) => slash.index);
    let matched = false;
    for (const pattern of this.patterns) {
      if (pattern.exclusion !== matched) continue;
      if (pattern.matches(text) || slashes.some((end) => pattern.matches(end === 0 ? '/' : text.slice(0, end)))) {
        matched = !pattern.exclusion;
      }
    }
    return matched;
  }

  /** For a file in the directory that gave `parent`. */
  matchesFile(path: ByteString, parent: DirMatch): boolean {
    return this.#judge(toText(path), parent.patternMatches, undefined);
  }

  /** For a directory in the directory that gave `parent`. */
  enterDir(path: ByteString, parent: DirMatch): DirMatch {
    const text = toText(path);
    const patternMatches = new Uint8Array(this.patterns.length);
    const matched = this.#judge(text, parent.patternMatches, patternMatches);
    return { matched, skippable: matched && !this.#canTakeBack(text, patternMatches), patternMatches };
  }

  /** False only if nothing below `dir` can match: for include lists, whether `dir` has to be entered. */
  canMatchBelow(dir: DirMatch, path: ByteString): boolean {
    if (dir.matched) return true;
    const parts = toText(path).split('/');
    return this.patterns.some((pattern) => !pattern.exclusion && pattern.canMatchBelow(parts));
  }

  #judge(path: string, above: Uint8Array, found: Uint8Array | undefined): boolean {
    let matched = false;
    for (const [i, pattern] of this.patterns.entries()) {
      if (above[i] !== 1) {
        // Left out when it could not change anything, as BuildKit does; what is below then does not know of it.
        if (pattern.exclusion !== matched || !pattern.matches(path)) continue;
      }
      if (found) found[i] = 1;
      matched = !pattern.exclusion;
    }
    return matched;
  }

  /** Only a `!` pattern after the last match can: that match holds for everything below. */
  #canTakeBack(dir: string, patternMatches: Uint8Array): boolean {
    if (!this.hasExclusions) return false;
    const parts = dir.split('/');
    const later = this.patterns.slice(patternMatches.lastIndexOf(1) + 1);
    return later.some((pattern) => pattern.exclusion && pattern.canMatchBelow(parts));
  }
}

function parsePattern(line: string): Pattern | undefined {
  const trimmed = trim(line);
  if (trimmed === '') return undefined;
  const clean = cleanPath(trimmed);
  if (clean === '!') throw new BuildError('DOCKERFILE_INVALID', 'illegal exclusion pattern: "!"');
  return clean.startsWith('!') ? new Pattern(clean.slice(1), true) : new Pattern(clean, false);
}
