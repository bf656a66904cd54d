import { setTimeout } from 'node:timers/promises';
import { probeNamespaces } from './probe-namespaces.js';

/** Stops trials of the rung `userns` early and late. Argument: the directory to try on. Says how many were stopped. */
const [, , dir = ''] = process.argv;
let stopped = 0;
for (let wait = 0; wait < 120; wait += 4) {
  const stop = new AbortController();
  const trial = probeNamespaces('userns', dir, { env: process.env, signal: stop.signal });
  const ended = trial.catch((error: unknown) => {
    if (error !== stop.signal.reason) throw error;
    stopped++;
  });
  await setTimeout(wait);
  stop.abort(new Error('stopped'));
  await ended;
}
process.stdout.write(`${stopped}\n`);
