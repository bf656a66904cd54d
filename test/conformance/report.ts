import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';

/** What one part of the conformance data gave. */
export interface Report {
  readonly name: string;
  readonly total: number;
  readonly failures: readonly { readonly id: string; readonly detail: string }[];
}

/** Directory of the conformance data; undefined when it is not there. */
export function conformanceDir(): string | undefined {
  const dir = process.env['SLIPWAY_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance');
  return existsSync(dir) ? dir : undefined;
}

/** Runs `check` over the rows of a table; it returns what is wrong with a row, or undefined. */
export function checkTable<Row extends { readonly group: string }>(
  dir: string,
  name: string,
  check: (row: Row) => string | undefined,
): Report {
  const table = JSON.parse(readFileSync(path.join(dir, 'tables', `${name}.json`), 'utf8')) as { readonly rows: Row[] };
  const failures = table.rows.flatMap((row, index) => {
    const detail = guarded(() => check(row));
    return detail === undefined ? [] : [{ id: `${row.group}[${index}]`, detail }];
  });
  return { name, total: table.rows.length, failures };
}

/** `checkTable` for a check that waits. */
export async function checkTableAsync<Row extends { readonly group: string }>(
  dir: string,
  name: string,
  check: (row: Row) => Promise<string | undefined>,
): Promise<Report> {
  const table = JSON.parse(readFileSync(path.join(dir, 'tables', `${name}.json`), 'utf8')) as { readonly rows: Row[] };
  const failures: { readonly id: string; readonly detail: string }[] = [];
  for (const [index, row] of table.rows.entries()) {
    const detail = await check(row).catch((error: unknown) => `threw ${String(error)}`);
    if (detail !== undefined) failures.push({ id: `${row.group}[${index}]`, detail });
  }
  return { name, total: table.rows.length, failures };
}

/** A thrown error is a failure of the row, not of the run. */
export function guarded(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (error) {
    return `threw ${String(error)}`;
  }
}

/** What differs, or undefined. */
export function difference(what: string, actual: unknown, expected: unknown): string | undefined {
  if (isDeepStrictEqual(actual, expected)) return undefined;
  return `${what}: got ${JSON.stringify(actual)}, want ${JSON.stringify(expected)}`;
}
