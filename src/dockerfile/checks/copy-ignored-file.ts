import { fromText } from '../../base/bytes.js';
import { quote } from '../go-text.js';
import { cleanPath } from '../paths.js';
import type { PatternMatcher } from '../ignore/pattern-matcher.js';
import type { Rule } from './rule.js';

/** An ignore file with `!` lines is not judged: a directory may be left out and a file in it taken back. */
export const copyIgnoredFile: Rule<'contextPath'> = {
  name: 'CopyIgnoredFile',
  description: 'Attempting to Copy file that is excluded by .dockerignore',
  page: 'copy-ignored-file',
  moment: 'contextPath',
  check({ kind, path, ignore }, report) {
    if (ignore === undefined || ignore.hasExclusions) return;
    const clean = cleanPath(path);
    if ((clean === '.' || clean === '/') && !leavesOutAll(ignore)) return;
    if (!ignore.matches(fromText(clean))) return;
    const verb = kind === 'copy' ? 'Copy' : 'Add';
    report(`Attempting to ${verb} file ${quote(clean)} that is excluded by .dockerignore`);
  },
};

const ALL: ReadonlySet<string> = new Set(['*', '**', '**/*']);

/** The context itself can only be left out by a pattern for everything in it. */
function leavesOutAll(ignore: PatternMatcher): boolean {
  return ignore.patterns.some(({ text }) => ALL.has(text));
}
