import { readFileSync } from 'node:fs';
import { BuildError, hasCode } from '../base/errors.js';
import type { Runtime } from './runtime.js';
import type { ExitStatus } from './types.js';

/**
 * Tells a process that failed from one that could not be executed, and both from a container that could not be made. The
 * runtime has written its message to stderr as well.
 */
export function judge(status: ExitStatus, log: string, runtime: Runtime): ExitStatus {
  const message = readLog(log).at(-1);
  if (message === undefined) return status;
  if (NOT_EXECUTABLE.test(message)) return { kind: 'exited', code: 1 };
  throw new BuildError('RUNTIME_FAILED', `${runtime.name} could not make the container: ${message}`, {
    hint: 'run `slipway doctor` to see what this machine allows',
  });
}

const NOT_EXECUTABLE = /executable file|exec: |open executable|\bexec(?:ve)? |exec format error/i;

function readLog(log: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(log, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLogLine)
    .filter((line) => line.level === undefined || line.level === 'error' || line.level === 'fatal')
    .map((line) => line.msg);
}

interface LogLine {
  readonly msg: string;
  readonly level?: string;
}

/** One line of JSON. What a process in the container said, crun passes on as JSON inside the message. */
function parseLogLine(line: string): LogLine {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { msg: line }; // cut off or not JSON: shown as it is
  }
  const { msg, level } = parsed as { msg?: unknown; level?: unknown };
  if (typeof msg !== 'string') return { msg: line };
  if (msg.startsWith('{')) return parseLogLine(msg);
  return { msg, ...(typeof level === 'string' ? { level } : {}) };
}
