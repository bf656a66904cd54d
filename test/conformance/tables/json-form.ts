import { parseJsonArray } from '../../../src/dockerfile/json-array.js';
import { checkTable, difference, type Report } from '../report.js';

interface Row {
  readonly group: string;
  readonly input: string;
  readonly values?: readonly string[];
  readonly error?: string;
}

export async function run(conformanceDir: string): Promise<Report> {
  return checkTable<Row>(conformanceDir, 'json-form', (row) => {
    const array = parseJsonArray(row.input);
    return array.ok ? difference('values', array.values, row.values) : difference('reason', array.reason, row.error);
  });
}
