import path from 'node:path';
import { checkOptionsFor } from '../../../src/dockerfile/checks/check-options.js';
import { Checker, type Warning } from '../../../src/dockerfile/checks/checker.js';
import { DockerfileError } from '../../../src/dockerfile/diagnostic.js';
import { parseIgnoreFile } from '../../../src/dockerfile/ignore/ignore-file.js';
import { parseDockerfile } from '../../../src/dockerfile/parse.js';
import { convertDockerfile } from '../../../src/dockerfile/to-llb/convert.js';
import { BuildError } from '../../../src/base/errors.js';
import { parsePlatform } from '../../../src/oci/platform.js';
import { TarImages } from '../config.js';
import { checkTableAsync, difference, type Report } from '../report.js';

interface RowWarning {
  readonly rule: string;
  readonly description: string;
  readonly url: string;
  readonly detail: string;
  readonly line: number;
  readonly endLine?: number;
}

interface RowError {
  readonly message: string;
  readonly line: number | null;
}

interface Row {
  readonly group: string;
  readonly files: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly warnings: readonly RowWarning[];
  readonly lintRequestWarnings?: readonly RowWarning[];
  readonly recorded?: { readonly warnings: readonly RowWarning[]; readonly buildError: RowError | null };
  readonly buildError?: string | RowError | null;
}

interface Outcome {
  readonly warnings: readonly Warning[];
  readonly error: { readonly message: string; readonly line: number | null } | null;
}

export async function run(conformanceDir: string): Promise<Report> {
  const bases = new TarImages(path.join(conformanceDir, 'images'));
  return checkTableAsync<Row>(conformanceDir, 'lint', async (row) => {
    const request = await lint(row, bases, 'all-stages');
    const own = typeof row.buildError === 'object' ? row.buildError : null;
    const found =
      differentWarnings('request', request, row.recorded?.warnings ?? row.lintRequestWarnings ?? row.warnings) ??
      differentError(request.error, row.recorded ? row.recorded.buildError : own);
    if (found !== undefined || row.group !== 'upstream') return found;
    return differentWarnings('build', await lint(row, bases, undefined), row.warnings);
  });
}

async function lint(row: Row, bases: TarImages, watchOnly: 'all-stages' | undefined): Promise<Outcome> {
  const source = row.files['Dockerfile']!;
  const buildPlatform = parsePlatform('linux/amd64');
  const platform = row.options['platform']?.split(',')[0];
  const buildArgs = Object.fromEntries(
    Object.entries(row.options).flatMap(([name, value]) =>
      name.startsWith('build-arg:') ? [[name.slice('build-arg:'.length), value]] : [],
    ),
  );
  let checker: Checker | undefined;
  try {
    checker = new Checker(checkOptionsFor(source, buildArgs));
    const options = {
      buildPlatform,
      buildArgs,
      contextExclude: parseIgnoreFile(row.files['.dockerignore'] ?? ''),
      watcher: checker,
      ...(watchOnly && { watchOnly }),
      ...(platform !== undefined && { platform: parsePlatform(platform) }),
    };
    const { signal } = new AbortController();
    await convertDockerfile(parseDockerfile(source), options, bases.named(new Map()), { signal });
    checker.refuseWarnings();
    return { warnings: checker.warnings, error: null };
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    const range = error instanceof DockerfileError ? error.diagnostics[0]?.range : undefined;
    return { warnings: checker?.warnings ?? [], error: { message: error.message, line: range?.startLine ?? null } };
  }
}

function differentWarnings(what: string, { warnings }: Outcome, expected: readonly RowWarning[]): string | undefined {
  const actual = warnings.map(({ range, ...one }) => ({ ...one, line: range.startLine, endLine: range.endLine }));
  const shown = (all: readonly RowWarning[]): unknown =>
    all.map((one) => [one.line, one.rule, one.detail, one.description, one.url]).sort(byText);
  return (
    difference(`${what} warnings`, shown(actual), shown(expected)) ??
    difference(`${what} ends`, ends(actual, expected), ends(expected, expected))
  );
}

/** Last lines, of the rows that say them. */
function ends(all: readonly RowWarning[], expected: readonly RowWarning[]): unknown {
  if (expected.some(({ endLine }) => endLine === undefined)) return [];
  return all.map(({ line, rule, detail, endLine }) => [line, rule, detail, endLine]).sort(byText);
}

function byText(a: unknown, b: unknown): number {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** BuildKit takes either of two names that are equally near. */
function differentError(actual: RowError | null, expected: RowError | null): string | undefined {
  const plain = (error: RowError | null): unknown =>
    error && { message: error.message.replace(/ \(did you mean \S+\?\)/, ''), line: error.line };
  return difference('error', plain(actual), plain(expected));
}
