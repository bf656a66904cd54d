import { exposedPorts } from '../../../src/dockerfile/expose.js';
import { checkTable, difference, type Report } from '../report.js';

interface Row {
  readonly group: string;
  readonly ports: readonly string[];
  readonly result?: readonly string[];
  readonly error?: string;
}

export async function run(conformanceDir: string): Promise<Report> {
  return checkTable<Row>(conformanceDir, 'expose', (row) => {
    let got: { readonly result?: readonly string[]; readonly error?: string };
    try {
      got = { result: exposedPorts(row.ports) };
    } catch (error) {
      got = { error: (error as Error).message };
    }
    return difference('error', got.error, row.error) ?? difference('ports', got.result, row.result);
  });
}
