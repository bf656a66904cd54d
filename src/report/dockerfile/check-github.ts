import type { CheckReport } from '../../dockerfile/checks/check-report.js';
import type { LineRange } from '../../dockerfile/diagnostic.js';

/** Workflow commands of GitHub Actions: annotations at the lines of the file. */
export function checkGithub({ fileName, warnings, error }: CheckReport): string {
  const line = (level: string, title: string, text: string, range: LineRange | undefined): string => {
    const place = range && { line: String(range.startLine), endLine: String(range.endLine) };
    const properties = Object.entries({ file: fileName, ...place, title });
    return `::${level} ${properties.map(([key, value]) => `${key}=${property(value)}`).join(',')}::${escaped(text)}\n`;
  };
  const shown = warnings.map(({ rule, detail, range }) => line('warning', rule, detail, range));
  return shown.join('') + (error ? line('error', 'Dockerfile', error.message, error.range) : '');
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
