import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { probeIsolation } from '../../src/worker/isolation/probe.js';
import { explainedCases } from '../support/explained-cases.js';
import * as builds from './build.js';
import * as parser from './parser.js';
import { listCases } from './prepare-case.js';
import { conformanceDir, type Report } from './report.js';
import { tables } from './tables/index.js';

/**
 * `npm run conformance [-- [--isolation=RUNG] FILTER]`: holds Slipway against the results recorded from BuildKit. A line a
 * group (`tables/<file> P/T`, `parser P/T`, `build/<group> P/T`), then each failure, last `build P/T`. With a filter, only
 * the build cases whose names contain it. With a rung, only the build cases whose Dockerfiles have a RUN, on that rung
 * (`none`: those that have none). Exit code 1 unless exactly the cases differ that `docs/differences.md` explains, for
 * every rung or for this one; a rung that this machine does not offer is skipped, with the reason.
 */
async function main(args: readonly string[]): Promise<number> {
  const dir = conformanceDir();
  if (dir === undefined) {
    process.stdout.write('skipped: there is no conformance data (SLIPWAY_CONFORMANCE names its directory)\n');
    return 0;
  }
  const isolation = args.find((arg) => arg.startsWith('--isolation='))?.slice('--isolation='.length);
  const filter = args.find((arg) => !arg.startsWith('--')) ?? '';
  const reason = isolation === undefined ? undefined : await whyNot(isolation);
  if (reason !== undefined) {
    process.stdout.write(`skipped: this machine does not offer \`${isolation}\`: ${reason}\n`);
    return 0;
  }
  const cases = listCases(dir)
    .filter(({ name }) => name.includes(filter))
    .filter(({ run }) => isolation === undefined || run === (isolation !== 'none'))
    .filter(({ needsRoot }) => !needsRoot || process.getuid?.() === 0)
    .map(({ name }) => name);
  const reports: Report[] = [];
  const show = (report: Report, prefix = ''): void => {
    reports.push(report);
    process.stdout.write(`${prefix}${report.name} ${report.total - report.failures.length}/${report.total}\n`);
  };
  if (filter === '' && isolation === undefined) {
    for (const [, run] of tables) show(await run(dir), 'tables/');
    show(await parser.run(dir));
  }
  const built = await builds.run(dir, { cases, ...(isolation !== undefined && { isolation }) });
  for (const report of built) show(report);
  for (const { name, failures } of reports) {
    for (const { id, detail } of failures) process.stdout.write(`${name} ${id}: ${detail.slice(0, 600)}\n`);
  }
  const total = built.reduce((sum, { total }) => sum + total, 0);
  const failures = built.reduce((sum, { failures }) => sum + failures.length, 0);
  const isGood = judge(reports, new Set(cases), isolation);
  process.stdout.write(`build ${total - failures}/${total}\n`);
  return isGood ? 0 : 1;
}

/** Whether exactly those cases failed that the documentation explains. Says which did not. */
function judge(reports: readonly Report[], cases: ReadonlySet<string>, isolation: string | undefined): boolean {
  const everywhere = explainedCases('Recorded cases that differ');
  // A rung may be without a difference that the others have.
  const here =
    isolation === undefined
      ? everywhere
      : explainedCases(`Recorded cases that differ with \`--isolation=${isolation}\``);
  const explained = new Set([...everywhere, ...here]);
  const failed = new Set(reports.flatMap(({ failures }) => failures.map(({ id }) => id)));
  const unexplained = [...failed].filter((id) => !explained.has(id));
  const healed = [...here].filter((id) => cases.has(id) && !failed.has(id));
  for (const id of unexplained) process.stdout.write(`${id} differs, and docs/differences.md does not say why\n`);
  for (const id of healed) process.stdout.write(`${id} is in docs/differences.md, but does not differ\n`);
  return unexplained.length + healed.length === 0;
}

/** Why a rung cannot be had here; undefined if it can. */
async function whyNot(isolation: string): Promise<string | undefined> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-conformance-'));
  try {
    const { signal } = new AbortController();
    const { rungs } = await probeIsolation(dir, { env: process.env, extent: 'all', signal });
    const rung = rungs.find(({ name }) => name === isolation);
    if (!rung) throw new Error(`no such isolation: ${isolation}`);
    return rung.available ? undefined : rung.reason;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv.slice(2));
