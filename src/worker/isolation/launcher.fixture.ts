import { chooseRung } from './ladder.js';
import { probeIsolation } from './probe.js';
import { findPrograms } from './programs.js';
import { startLaunch } from './start-launch.js';
import { workerLaunch } from './launch.js';

/**
 * What a main process does, between a test and a worker: probes, starts the worker below itself with an IPC channel and
 * passes messages on. Arguments: the worker's file, the directory to probe on.
 */
const [, , workerFile = '', dir = ''] = process.argv;
const signal = new AbortController().signal;
const report = await probeIsolation(dir, { env: process.env, extent: 'first', signal });
const { rung } = chooseRung(report, undefined);
if (rung === 'chroot') throw new Error('a rung with namespaces is wanted');
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
