import { checkAst, type AstRow } from '../ast-row.js';
import { checkTable, type Report } from '../report.js';

export async function run(conformanceDir: string): Promise<Report> {
  return checkTable<AstRow>(conformanceDir, 'line-info', checkAst);
}
