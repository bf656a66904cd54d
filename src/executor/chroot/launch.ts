import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import type { ByteString } from '../../base/bytes.js';
import { socketPair } from '../../base/linux/pass-descriptor.js';
import type { LinkAnswersData } from './link-answers.js';
import { hasCode } from '../../base/errors.js';
import { packageRoot } from '../../base/package-root.js';
import { CONTROL_FD, READY, type LaunchFailure, type LaunchOutcome, type LaunchSpec } from './launch-spec.js';

export interface Launched {
  /** Its output streams are pipes, to be read by the caller. */
  readonly child: ChildProcess;
  /** Known at the latest when the process has ended. */
  readonly outcome: Promise<LaunchOutcome>;
  /** To be ended when nothing of it is left. */
  readonly answers: LinkAnswers;
}

/** The thread that says where the links of /proc would lead; see `link-answers.ts`. */
export interface LinkAnswers {
  end(): Promise<void>;
}

/** For the time before the launcher may not be traced: a debugger (see `refuseDebugger`) must guess its address. */
const NODE_FLAGS = ['--inspect-publish-uid=stderr'];

/** Where the build of Slipway has the launcher. */
export function launcherFile(): string {
  return path.join(packageRoot(), 'dist', 'chroot-launcher.js');
}

/** Starts the bundle of `launcher.ts`, which becomes the command of `spec` in its root. */
export function startLauncher(launcher: string, spec: LaunchSpec): Launched {
  const [ownEnd, itsEnd] = socketPair();
  const child = spawn(process.execPath, [...NODE_FLAGS, launcher], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', itsEnd],
    // A session of its own: what a terminal sends to the whole group would come twice, from it and from the caller.
    detached: true,
    env: {},
    cwd: '/',
  });
  closeSync(itsEnd);
  const answering = path.join(path.dirname(launcher), 'chroot-link-answers.js');
  const answers = answerLinks(ownEnd, spec.root, answering, () => void child.kill('SIGKILL'));
  const control = child.stdio[CONTROL_FD] as Duplex;
  const outcome = text(control).then(read, (error: unknown) => {
    if (hasCode(error, 'EPIPE', 'ECONNRESET')) return read(''); // it ended before it had read the spec
    throw error;
  });
  outcome.catch(() => undefined); // whoever asks gets it
  control.end(JSON.stringify(spec));
  return { child, outcome, answers };
}

function read(said: string): LaunchOutcome {
  if (said === READY) return { kind: 'executed' };
  if (said === '') return { kind: 'not-possible', message: 'the launcher ended before it was ready' };
  return JSON.parse(said.replace(READY, '')) as LaunchFailure;
}

function answerLinks(socket: number, root: ByteString, file: string, onFailure: () => void): LinkAnswers {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const workerData: LinkAnswersData = { socket, root, stop };
  const thread = new Worker(file, { workerData, env: {}, execArgv: [], trackUnmanagedFds: false });
  let failure: unknown;
  thread.on('error', (error) => {
    failure = error;
    onFailure(); // who asks where a link leads waits for an answer that does not come
  });
  const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
  return {
    end: async () => {
      Atomics.store(stop, 0, 1);
      await ended;
      if (failure) throw failure;
    },
  };
}
