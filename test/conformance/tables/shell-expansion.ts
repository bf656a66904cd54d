import { expand } from '../../../src/dockerfile/expand/expand.js';
import { compileShellPattern, reversePattern } from '../../../src/dockerfile/expand/shell-pattern.js';
import type { ExpandOptions, Variables } from '../../../src/dockerfile/expand/types.js';
import { checkTable, difference, type Report } from '../report.js';

interface Row extends ExpandOptions {
  readonly group: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly platform?: 'A' | 'U' | 'W';
  readonly result?: string;
  readonly words?: readonly string[];
  readonly error?: boolean;
  readonly errorText?: string;
  readonly matched?: readonly string[];
  readonly unmatched?: readonly string[];
  readonly pattern?: string;
  readonly greedy?: boolean;
  readonly anchored?: boolean;
  readonly regex?: string;
  readonly reversed?: string;
}

export async function run(conformanceDir: string): Promise<Report> {
  return checkTable<Row>(conformanceDir, 'shell-expansion', (row) => {
    if (row.reversed !== undefined) return difference('reversed', reversePattern(row.input!), row.reversed);
    return row.pattern === undefined ? checkExpansion(row) : checkPattern(row, row.pattern);
  });
}

function checkExpansion(row: Row): string | undefined {
  const got = expand(row.input!, variables(row), row);
  if (row.error !== (got.error === undefined ? undefined : true)) return `error: got ${got.error}`;
  return (
    (row.errorText === undefined ? undefined : difference('error', got.error, row.errorText)) ??
    (row.result === undefined ? undefined : difference('result', got.text, row.result)) ??
    (row.words === undefined ? undefined : difference('words', got.words, row.words)) ??
    (row.matched === undefined ? undefined : difference('matched', [...got.matched].sort(), row.matched)) ??
    (row.unmatched === undefined ? undefined : difference('unmatched', [...got.unmatched].sort(), row.unmatched))
  );
}

/** Names are compared without case where the row is about Windows; the rows of heredoc words have no variables at all. */
function variables(row: Row): Variables | undefined {
  if (row.skipUnsetEnv && Object.keys(row.env ?? {}).length === 0) return undefined;
  const entries = Object.entries(row.env ?? {});
  if (row.platform !== 'W') return new Map(entries);
  const upper = new Map(entries.map(([name, value]) => [name.toUpperCase(), value]));
  return { get: (name) => upper.get(name.toUpperCase()), keys: () => upper.keys() };
}

function checkPattern(row: Row, pattern: string): string | undefined {
  try {
    const { source } = compileShellPattern(pattern, row.greedy!, row.anchored!);
    return row.error ? `was accepted as ${source}` : difference('regex', source, row.regex);
  } catch (error) {
    return difference('error', (error as Error).message, row.errorText);
  }
}
