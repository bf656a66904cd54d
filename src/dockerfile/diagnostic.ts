import { BuildError, type ErrorCode } from '../base/errors.js';

/** Lines of a Dockerfile, 1-based, both included. */
export interface LineRange {
  readonly startLine: number;
  readonly endLine: number;
}

/** One fault or remark about a Dockerfile. `rule` is a short stable name; `message` keeps BuildKit's words. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly rule: string;
  readonly message: string;
  readonly hint?: string;
  readonly range: LineRange;
}

/**
 * A Dockerfile that cannot be built, or one of its lines that failed (then the code says how). Carries every diagnostic (the message is that of the first error, the one BuildKit
 * would report) with name and text of the file, so that the lines can be shown.
 */
export class DockerfileError extends BuildError {
  override readonly name = 'DockerfileError';
  readonly diagnostics: readonly Diagnostic[];
  readonly fileName: string;
  readonly source: string;

  constructor(
    fileName: string,
    source: string,
    diagnostics: readonly Diagnostic[],
    options: { readonly code?: ErrorCode; readonly cause?: unknown } = {},
  ) {
    const first = diagnostics.find((one) => one.severity === 'error') ?? diagnostics[0];
    super(options.code ?? 'DOCKERFILE_INVALID', first?.message ?? 'the Dockerfile is invalid', {
      ...(first?.hint !== undefined && { hint: first.hint }),
      cause: options.cause,
    });
    this.fileName = fileName;
    this.source = source;
    this.diagnostics = diagnostics;
  }
}

/**
 * What is thrown for one bad instruction by code that does not know where the instruction stands; whoever does turns
 * it into a Diagnostic with a range. Never leaves this folder.
 */
export class Fault extends Error {
  readonly rule: string;
  readonly hint: string | undefined;
  readonly code: ErrorCode;

  constructor(rule: string, message: string, hint?: string, code: ErrorCode = 'DOCKERFILE_INVALID') {
    super(message);
    this.rule = rule;
    this.hint = hint;
    this.code = code;
  }
}

/** A part of the language that parses but is not executed. */
export function unsupported(what: string, hint: string): Fault {
  return new Fault('unsupported', `${what} is not supported by this version`, hint, 'UNSUPPORTED');
}

/** Shows the lines of a diagnostic with lines of context, the faulty ones marked with `>>>`, as BuildKit does. */
export function excerpt(source: string, range: LineRange, context = 2): string {
  const lines = source.split('\n');
  const first = Math.max(1, range.startLine - context);
  const last = Math.min(lines.length, range.endLine + context);
  const shown: string[] = [];
  for (let line = first; line <= last; line++) {
    const mark = line >= range.startLine && line <= range.endLine ? '>>>' : '   ';
    shown.push(`${String(line).padStart(4)} | ${mark} ${(lines[line - 1] ?? '').replace(/\r$/, '')}`);
  }
  return shown.join('\n');
}
