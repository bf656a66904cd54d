import { fromText } from '../../../src/base/bytes.js';
import { cleanPath } from '../../../src/dockerfile/ignore/clean-path.js';
import { parseIgnoreFile } from '../../../src/dockerfile/ignore/ignore-file.js';
import { analyzePattern } from '../../../src/dockerfile/ignore/pattern.js';
import { PatternMatcher } from '../../../src/dockerfile/ignore/pattern-matcher.js';
import { checkTable, difference, type Report } from '../report.js';

interface Row {
  readonly group: string;
  readonly patterns?: readonly string[] | null;
  readonly path?: string;
  readonly match?: boolean;
  readonly error?: string;
  readonly cleaned?: number;
  readonly exclusions?: boolean;
  readonly pattern?: string;
  readonly matchType?: string;
  readonly regex?: string;
  readonly file?: string;
}

export async function run(conformanceDir: string): Promise<Report> {
  return checkTable<Row>(conformanceDir, 'dockerignore', (row) => {
    if (row.file !== undefined) return difference('patterns', parseIgnoreFile(row.file), row.patterns ?? []);
    if (row.pattern !== undefined) return checkCompiled(row.pattern, row);
    return checkMatch(row.patterns ?? [], row);
  });
}

function checkCompiled(pattern: string, row: Row): string | undefined {
  const got = analyzePattern(pattern);
  return (
    difference('type', got.type, row.matchType) ??
    (row.regex === undefined ? undefined : difference('regex', got.regex, row.regex))
  );
}

function checkMatch(patterns: readonly string[], row: Row): string | undefined {
  let matcher: PatternMatcher;
  let match: boolean | undefined;
  try {
    matcher = new PatternMatcher(patterns);
    match = row.path === undefined ? undefined : matches(matcher, row);
  } catch (error) {
    return difference('error', (error as Error).message, row.error);
  }
  if (row.error !== undefined) return `was accepted, want ${row.error}`;
  return (
    difference('match', match, row.match) ??
    (row.cleaned === undefined ? undefined : difference('cleaned', matcher.patterns.length, row.cleaned)) ??
    (row.exclusions === undefined ? undefined : difference('exclusions', matcher.hasExclusions, row.exclusions))
  );
}

/** The upstream tests clean the path only where they go through the package's own function for one path. */
function matches(matcher: PatternMatcher, row: Row): boolean {
  if (row.group !== 'single' && row.group !== 'matchTests') return matcher.matches(fromText(row.path!));
  const path = cleanPath(row.path!);
  return path !== '.' && matcher.matches(fromText(path));
}
