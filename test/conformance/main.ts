import { explainedCases } from '../support/explained-cases.js';
import * as builds from './build.js';
import * as parser from './parser.js';
import { conformanceDir, type Report } from './report.js';
import { tables } from './tables/index.js';

/**
 * `npm run conformance [-- FILTER]`: holds Slipway against the results recorded from BuildKit. A line a group
 * (`tables/<file> P/T`, `parser P/T`, `build/<group> P/T`), then each failure, last `build P/T`. With a filter, only the
 * build cases whose names contain it. Exit code 1 unless exactly the cases differ that `docs/differences.md` explains.
 */
async function main(filter: string): Promise<number> {
  const dir = conformanceDir();
  if (dir === undefined) {
    process.stdout.write('skipped: there is no conformance data (SLIPWAY_CONFORMANCE names its directory)\n');
    return 0;
  }
  const reports: Report[] = [];
  const show = (report: Report, prefix = ''): void => {
    reports.push(report);
    process.stdout.write(`${prefix}${report.name} ${report.total - report.failures.length}/${report.total}\n`);
  };
  if (filter === '') {
    for (const [, run] of tables) show(await run(dir), 'tables/');
    show(await parser.run(dir));
  }
  const built = await builds.run(dir, { filter });
  for (const report of built) show(report);
  for (const { name, failures } of reports) {
    for (const { id, detail } of failures) process.stdout.write(`${name} ${id}: ${detail.slice(0, 600)}\n`);
  }
  const total = built.reduce((sum, { total }) => sum + total, 0);
  const failures = built.reduce((sum, { failures }) => sum + failures.length, 0);
  const failed = new Set(reports.flatMap(({ failures }) => failures.map(({ id }) => id)));
  const explained = explainedCases('Recorded cases that differ');
  const unexplained = reports.flatMap(({ failures }) => failures.filter(({ id }) => !explained.has(id)));
  const healed = filter === '' ? [...explained].filter((id) => !failed.has(id)) : [];
  for (const { id } of unexplained) process.stdout.write(`${id} differs, and docs/differences.md does not say why\n`);
  for (const id of healed) process.stdout.write(`${id} is in docs/differences.md, but does not differ\n`);
  process.stdout.write(`build ${total - failures}/${total}\n`);
  return unexplained.length + healed.length > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv[2] ?? '');
