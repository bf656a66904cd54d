import os from 'node:os';
import { wasInterrupted } from './interrupt.js';
import { withVerb } from './kaniko/verb.js';
import { main } from './main.js';

/**
 * Who reads our output may leave before its end (`slipway images | head -1`): without a reader of data there is nothing
 * left to do, and the process ends as one that SIGPIPE ends; messages that nobody reads are no reason to stop a build.
 */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(128 + os.constants.signals.SIGPIPE);
  throw error;
});
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const [, program = '', ...words] = process.argv;
const code = await main(withVerb(program, words));
// All is wound up: what is left is data for a reader of stdout who takes none, and would keep the process for ever.
if (code === 130 && wasInterrupted()) process.exit(code);
process.exitCode = code;
// Node.js would first wait for what V8 compiles and collects in the background: tens of milliseconds after a build.
if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit();
