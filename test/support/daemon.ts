import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../src/base/package-root.js';

const PATIENCE_MS = 60_000;

/** Where scripts/setup.mjs unpacks packages that it does not install. */
const UNPACKED = path.join(packageRoot(), 'node_modules/.programs');

/** A PATH with what is unpacked before what is installed. */
export const PROGRAMS = [
  path.join(UNPACKED, 'usr/sbin'),
  path.join(UNPACKED, 'usr/bin'),
  process.env['PATH'] ?? '',
].join(':');

/**
 * A daemon that runs as root in namespaces of its own, for mounts and processes: nothing that it starts or mounts outlives
 * it, and it does not outlive us.
 */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #log: string;

  /** Runs a shell script, which ends with `exec` of the daemon; `args` are its `$1` and so on. */
  constructor(script: string, args: readonly string[], log: string) {
    this.#log = log;
    const file = openSync(log, 'w');
    const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const argv = ['--pdeathsig', 'KILL', '--', 'unshare', ...namespaces, '--', 'sh', '-c', script, 'sh', ...args];
    this.#child = spawn('setpriv', argv, { env: { PATH: PROGRAMS }, stdio: ['ignore', file, file] });
    closeSync(file);
  }

  /** What it says for itself, for messages. */
  get log(): string {
    return readFileSync(this.#log, 'utf8');
  }

  /** Waits until it answers. Throws when it ends before, or does not answer for a long time. */
  async ready(answers: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await answers())) {
      const how = this.#child.exitCode ?? this.#child.signalCode;
      if (how !== null) throw new Error(`the daemon ended with ${how}:\n${this.log}`);
      if (Date.now() > deadline) throw new Error(`the daemon does not answer:\n${this.log}`);
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    // The first process of the namespace: when it is gone, so are all others.
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const target = first === '' ? pid : Number(first);
    process.kill(target, 'SIGTERM');
    const late = setTimeout(() => process.kill(target, 'SIGKILL'), PATIENCE_MS);
    await ended;
    clearTimeout(late);
  }
}
