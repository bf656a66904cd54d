import { parseBool } from '../../dockerfile/go-text.js';
import { BuildError } from '../../base/errors.js';
import {
  checkDockerfile,
  listTargets,
  outlineDockerfile,
  type CheckDockerfileOptions,
  type CheckReport,
} from '../../build/index.js';
import { checkGithub } from '../../report/dockerfile/check-github.js';
import { checkJson } from '../../report/dockerfile/check-json.js';
import { checkSarif } from '../../report/dockerfile/check-sarif.js';
import { checkErrorText, checkText } from '../../report/dockerfile/check-text.js';
import { outlineJson, outlineText } from '../../report/dockerfile/outline.js';
import { targetsJson, targetsText } from '../../report/dockerfile/targets.js';
import { style } from '../output/style.js';
import { version } from '../version.js';

/** What `build --call` asks for in place of a build. */
export interface Call {
  readonly method: 'check' | 'outline' | 'targets';
  readonly format: string;
  /** Warnings leave the exit code 0. */
  readonly ignoreStatus: boolean;
}

const METHODS = ['check', 'outline', 'targets'] as const;

/** `METHOD[,format=text|json][,ignorestatus=true]`; undefined is a build. Throws USAGE. */
export function parseCall(text: string): Call | undefined {
  let name: string | undefined;
  let format = 'text';
  let ignoreStatus = false;
  for (const field of text.split(',')) {
    const equals = field.indexOf('=');
    const value = field.slice(equals + 1);
    if (equals < 0) {
      if (name !== undefined) throw invalid(text);
      name = field;
    } else if (field.startsWith('format=')) format = value;
    else if (field.startsWith('ignorestatus=')) ignoreStatus = parseBool(value) ?? fail(text);
    else throw invalid(text);
  }
  if (name === undefined || name === '' || name === 'build') return undefined;
  const method = METHODS.find((one) => one === (name === 'lint' ? 'check' : name));
  if (method === undefined) throw invalid(text);
  return { method, format, ignoreStatus };
}

function fail(text: string): never {
  throw invalid(text);
}

function invalid(text: string): BuildError {
  return new BuildError('USAGE', `invalid \`--call ${text}\``, {
    hint: 'the methods are: build, check, outline, targets; `,format=json` may follow',
  });
}

/** Answers on stdout and sets the exit code: 1 when the checks found something. Throws USAGE for an unknown format. */
export async function answerCall(
  { method, format, ignoreStatus }: Call,
  options: CheckDockerfileOptions,
): Promise<void> {
  if (method === 'check') {
    requireOneOf(format, ['text', 'json', 'sarif', 'github']);
    const report = await checkDockerfile(options);
    printCheck(report, format);
    if (report.error || (report.warnings.length > 0 && !ignoreStatus)) process.exitCode = 1;
    return;
  }
  requireOneOf(format, ['text', 'json']);
  if (method === 'outline') {
    const { outline, source } = await outlineDockerfile(options);
    process.stdout.write(format === 'json' ? json(outlineJson(outline, source)) : outlineText(outline));
    return;
  }
  const { targets, source } = await listTargets(options);
  process.stdout.write(format === 'json' ? json(targetsJson(targets, source)) : targetsText(targets));
}

function printCheck(report: CheckReport, format: string): void {
  if (format === 'json') process.stdout.write(json(checkJson(report)));
  else if (format === 'sarif') process.stdout.write(json(checkSarif(report, version())));
  else if (format === 'github') process.stdout.write(checkGithub(report));
  else process.stdout.write(checkText(report));
  for (const name of report.assumedBases) {
    process.stderr.write(`note: the base \`${name}\` is not here; variables of its stage were not checked\n`);
  }
  const { error } = report;
  if (error === undefined || format !== 'text') return;
  if (report.warnings.length > 0) process.stdout.write('\n');
  const hint = error.hint === undefined ? '' : `${style('cyan', 'hint:')} ${error.hint}\n`;
  process.stderr.write(`${style('red', 'error:')} ${checkErrorText(report, error)}${hint}`);
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function requireOneOf(format: string, formats: readonly string[]): void {
  if (formats.includes(format)) return;
  throw new BuildError('USAGE', `invalid format \`${format}\``, { hint: `the formats are: ${formats.join(', ')}` });
}
