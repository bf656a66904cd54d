import type { CheckError, CheckReport } from '../../dockerfile/checks/check-report.js';
import { excerpt, type LineRange } from '../../dockerfile/diagnostic.js';

/** The warnings as `docker buildx build --check` prints them, by line; '' when there is nothing but an error. */
export function checkText(report: CheckReport): string {
  const { warnings, error } = report;
  if (warnings.length === 0) return error === undefined ? 'Check complete, no warnings found.\n' : '';
  const count = warnings.length === 1 ? '1 warning has' : `${warnings.length} warnings have`;
  const sorted = [...warnings].sort((a, b) => a.range.startLine - b.range.startLine);
  const shown = sorted.map(({ rule, url, detail, range }) => {
    const head = url === '' ? rule : `${rule} - ${url}`;
    return `\nWARNING: ${head}\n${detail}\n${sourceLines(report, range)}`;
  });
  return `Check complete, ${count} been found!\n${shown.join('')}`;
}

/** What keeps the file from being built, with its lines. */
export function checkErrorText(report: CheckReport, { message, range }: CheckError): string {
  return `${message}\n${range === undefined ? '' : sourceLines(report, range)}`;
}

/** Two lines of context around one line, one around several. */
function sourceLines({ fileName, source }: CheckReport, range: LineRange): string {
  const rule = '--------------------\n';
  const lines = excerpt(source, range, range.startLine === range.endLine ? 2 : 1);
  return `${fileName}:${range.startLine}\n${rule}${lines}\n${rule}`;
}

/** What a warning comes to in one line. */
interface ShortWarning {
  readonly rule: string;
  readonly detail: string;
  readonly range: LineRange;
}

/** `Rule: detail (line 3)`, as BuildKit has it. */
export function warningLine({ rule, detail, range }: ShortWarning): string {
  return `${rule}: ${detail} (line ${range.startLine})`;
}

/** What a build says of its warnings when it is over. */
export function warningSummary(warnings: readonly ShortWarning[]): string {
  if (warnings.length === 0) return '';
  const count = warnings.length === 1 ? '1 warning' : `${warnings.length} warnings`;
  const lines = warnings.map((warning) => ` - ${warningLine(warning)}\n`);
  return `\n ${count} found (use \`slipway check\` to expand):\n${lines.join('')}`;
}
