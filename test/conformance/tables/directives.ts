import { Fault } from '../../../src/dockerfile/diagnostic.js';
import {
  detectSyntax,
  findDirective,
  parseDirectives,
  type DirectiveName,
} from '../../../src/dockerfile/directives.js';
import { checkTable, difference, type Report } from '../report.js';

interface Row {
  readonly group: string;
  readonly input: string;
  readonly key?: DirectiveName;
  readonly directives?: readonly { readonly name: string; readonly value: string }[];
  readonly error?: string;
  readonly found?: boolean;
  readonly ref?: string;
  readonly value?: string;
  readonly cmdline?: string;
  readonly line?: number | null;
}

export async function run(conformanceDir: string): Promise<Report> {
  return checkTable<Row>(conformanceDir, 'directives', (row) => {
    if (row.group.endsWith('ParseAll')) return checkAll(row);
    const found = row.key === undefined ? detectSyntax(row.input) : findDirective(row.key, row.input);
    if (found === undefined || row.found !== true) return difference('found', found !== undefined, row.found);
    return (
      difference('value', found.value, row.ref ?? row.value) ??
      difference('cmdline', found.cmdline, row.cmdline) ??
      (row.line === null ? undefined : difference('line', found.line, row.line))
    );
  });
}

function checkAll(row: Row): string | undefined {
  try {
    const directives = parseDirectives(row.input).map(({ name, value }) => ({ name, value }));
    return difference('directives', directives, row.directives);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return difference('error', error.message, row.error);
  }
}
