import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { hasCode } from '../../base/errors.js';
import { packageRoot } from '../../base/package-root.js';
import { CONTROL_FD, READY, type LaunchFailure, type LaunchOutcome, type LaunchSpec } from './launch-spec.js';

export interface Launched {
  /** Its output streams are pipes, to be read by the caller. */
  readonly child: ChildProcess;
  /** Known at the latest when the process has ended. */
  readonly outcome: Promise<LaunchOutcome>;
}

/** For the time before the launcher may not be traced: a debugger (see `refuseDebugger`) must guess its address. */
const NODE_FLAGS = ['--inspect-publish-uid=stderr'];

/** Where the build of Slipway has the launcher. */
export function launcherFile(): string {
  return path.join(packageRoot(), 'dist', 'chroot-launcher.js');
}

/** Starts the bundle of `launcher.ts`, which becomes the command of `spec` in its root. */
export function startLauncher(launcher: string, spec: LaunchSpec): Launched {
  const child = spawn(process.execPath, [...NODE_FLAGS, launcher], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // A session of its own: what a terminal sends to the whole group would come twice, from it and from the caller.
    detached: true,
    env: {},
    cwd: '/',
  });
  const control = child.stdio[CONTROL_FD] as Duplex;
  const outcome = text(control).then(read, (error: unknown) => {
    if (hasCode(error, 'EPIPE', 'ECONNRESET')) return read(''); // it ended before it had read the spec
    throw error;
  });
  outcome.catch(() => undefined); // whoever asks gets it
  control.end(JSON.stringify(spec));
  return { child, outcome };
}

function read(said: string): LaunchOutcome {
  if (said === READY) return { kind: 'executed' };
  if (said === '') return { kind: 'not-possible', message: 'the launcher ended before it was ready' };
  return JSON.parse(said.replace(READY, '')) as LaunchFailure;
}
