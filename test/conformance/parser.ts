import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { dumpAst } from '../../src/dockerfile/ast.js';
import { parseAst } from '../../src/dockerfile/parse-ast.js';
import { difference, guarded, type Report } from './report.js';

/** The Dockerfiles of `parser/` with their dumps, and those of `parser-negative/`, which must be refused. */
export async function run(conformanceDir: string): Promise<Report> {
  const cases = (folder: string): string[] =>
    readdirSync(path.join(conformanceDir, folder)).map((id) => `${folder}/${id}`);
  const read = (id: string, file: string): string => readFileSync(path.join(conformanceDir, id, file), 'utf8');
  const positive = cases('parser').map((id) => ({
    id,
    detail: guarded(() => {
      const ast = parseAst(read(id, 'Dockerfile'));
      return difference('faults', ast.faults, []) ?? difference('dump', dumpAst(ast.nodes), read(id, 'result'));
    }),
  }));
  const negative = cases('parser-negative').map((id) => ({
    id,
    detail: guarded(() => (parseAst(read(id, 'Dockerfile')).faults.length > 0 ? undefined : 'was accepted')),
  }));
  const all = [...positive, ...negative];
  const failures = all.flatMap(({ id, detail }) => (detail === undefined ? [] : [{ id, detail }]));
  return { name: 'parser', total: all.length, failures };
}
