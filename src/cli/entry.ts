import os from 'node:os';
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

process.exitCode = await main(process.argv.slice(2));
