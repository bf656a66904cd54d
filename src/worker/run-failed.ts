import { BuildError } from '../base/errors.js';
import { quote } from '../dockerfile/go-text.js';

/** A RUN that ended with a non-zero code or by a signal. */
export class RunFailedError extends BuildError {
  override readonly name = 'RunFailedError';

  constructor(
    /** As a shell has it: 128 + number for a signal. */
    readonly exitCode: number,
    readonly exitSignal: string | undefined,
    readonly args: readonly string[],
    /** More than the exit code tells. */
    hint?: string,
  ) {
    const how = exitSignal ? `was killed by ${exitSignal}` : `did not complete successfully: exit code: ${exitCode}`;
    super('RUN_FAILED', `process ${quote(args.join(' '))} ${how}`, hint === undefined ? hintFor(exitCode) : { hint });
  }
}

/** What kept a RUN from starting, in BuildKit's words, which begin with the command. */
export function notStarted(args: readonly string[], error: BuildError): BuildError {
  const { code, message, hint } = error;
  const how = `process ${quote(args.join(' '))} did not complete successfully: ${message}`;
  return new BuildError(code, how, { cause: error, ...(hint !== undefined && { hint }) });
}

function hintFor(exitCode: number): { hint?: string } {
  if (exitCode === 127) return { hint: 'the shell found no such command; is it installed in this stage?' };
  if (exitCode === 126)
    return { hint: 'the command was found but cannot be executed; check its mode and its interpreter' };
  if (exitCode === 137) return { hint: 'killed from outside; often the machine ran out of memory' };
  return {};
}
