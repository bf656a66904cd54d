import os from 'node:os';
import { wasInterrupted } from './interrupt.js';
import { withVerb } from './kaniko/verb.js';
import { main } from './main.js';

/** Runs the command line with the arguments of a process. Gives the exit code. */
export async function run([, program = '', ...words]: readonly string[]): Promise<number> {
  return await main(withVerb(program, words));
}

/** The same as all that this process does. */
export async function start(argv: readonly string[]): Promise<void> {
  tolerateGoneReaders();
  const code = await run(argv);
  // All is wound up: what is left is data for a reader of stdout who takes none, and would keep the process for ever.
  if (code === 130 && wasInterrupted()) process.exit(code);
  process.exitCode = code;
  // Node.js would first wait for what V8 compiles and collects in the background: tens of milliseconds after a build.
  if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit();
}

/**
 * Who reads our output may leave before its end (`slipway images | head -1`): without a reader of data there is nothing
 * left to do, and the process ends as one that SIGPIPE ends; messages that nobody reads are no reason to stop a build.
 */
function tolerateGoneReaders(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(128 + os.constants.signals.SIGPIPE);
    throw error;
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
