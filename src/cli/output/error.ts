import { BuildError } from '../../base/errors.js';
import { DockerfileError, excerpt, type Diagnostic } from '../../dockerfile/diagnostic.js';
import { Interrupted } from '../interrupt.js';
import { style } from './style.js';

/** Writes an error to stderr as its kind asks for, and gives the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof Interrupted) {
    process.stderr.write('canceled\n');
    return 130;
  }
  if (error instanceof DockerfileError) {
    for (const one of error.diagnostics) process.stderr.write(diagnosticText(error, one));
    return 1;
  }
  if (error instanceof BuildError) {
    process.stderr.write(buildErrorText(error));
    return error.code === 'USAGE' ? 2 : 1;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(
    `${stack}\n${style('red', 'error:')} this is a bug in slipway; please report it with the lines above\n`,
  );
  return 2;
}

/** `Dockerfile:7: error[rule] message`, the lines, the hint. */
export function diagnosticText(error: DockerfileError, one: Diagnostic): string {
  const color = one.severity === 'error' ? 'red' : 'yellow';
  const head = `${error.fileName}:${one.range.startLine}: ${style(color, `${one.severity}[${one.rule}]`)} ${one.message}`;
  const hint = one.hint === undefined ? '' : `${style('cyan', 'hint:')} ${one.hint}\n`;
  return `${head}\n${excerpt(error.source, one.range)}\n${hint}`;
}

function buildErrorText(error: BuildError): string {
  const { place } = error;
  const where = place
    ? `${place.fileName}:${place.startLine}\n--------------------\n${excerpt(place.source, place)}\n--------------------\n`
    : '';
  const causes = causeLines(error.cause);
  const hint = error.hint === undefined ? '' : `${style('cyan', 'hint:')} ${error.hint}\n`;
  return `${where}${style('red', 'error:')} ${error.message}\n${causes}${hint}`;
}

function causeLines(cause: unknown): string {
  let text = '';
  for (let next = cause; next instanceof Error; next = next.cause) text += `  caused by: ${next.message}\n`;
  return text;
}
