import { chooseRung } from './ladder.js';
import { probeNamespaces } from './probe-namespaces.js';
import { probeIsolation } from './probe.js';
import { findPrograms } from './programs.js';
import { startLaunch } from './start-launch.js';
import { workerLaunch, type NamespaceRung } from './launch.js';

/**
 * What a main process does, between a test and a worker: probes, starts the worker below itself with an IPC channel and
 * passes messages on. Arguments: the worker's file, the directory to probe on, and the rung, or the
 * best one.
 */
const [, , workerFile = '', dir = '', wanted] = process.argv;
const signal = new AbortController().signal;
const rung = await choose();
const programs = findPrograms(rung, process.env);
if ('reason' in programs) throw new Error(programs.reason);
const { child: worker, mapped } = startLaunch(workerLaunch(rung, programs), [process.execPath, workerFile, rung], {
  signal,
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
});
worker.on('message', (message) => process.send?.(message === 'ready' ? { rung, pid: worker.pid } : message));
await mapped;
process.on('message', (message: object) => worker.send(message));
process.on('disconnect', () => worker.disconnect());

async function choose(): Promise<NamespaceRung> {
  const options = { env: process.env, signal };
  if (wanted !== undefined) {
    const { available, reason, hint } = await probeNamespaces(wanted as NamespaceRung, dir, options);
    if (!available) throw new Error(`${reason} (${hint})`);
    return wanted as NamespaceRung;
  }
  const { rung } = chooseRung(await probeIsolation(dir, { ...options, extent: 'first' }), undefined);
  if (rung === 'chroot') throw new Error('a rung with namespaces is wanted');
  return rung;
}
