import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../src/base/package-root.js';

const BIN = path.join(packageRoot(), 'bin/slipway');

/** Variables of the caller that would change what a build does. */
const OWN = /^(SLIPWAY_(?!TEST_)|SOURCE_DATE_EPOCH$|BUILDKIT_|BUILDX_|NO_COLOR$|FORCE_COLOR$|XDG_DATA_HOME$)/;

export interface SlipwayOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to stdin, which is then closed. */
  readonly input?: string | Buffer;
  /** stdin is not closed: more may come, and does not. */
  readonly holdInput?: boolean;
  /** A program with arguments that starts the command line, as another user for example. */
  readonly launcher?: readonly string[];
  /** Makes the process the leader of a group, so that a whole group can be signalled as a terminal does. */
  readonly group?: boolean;
}

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
  /** Both streams, for messages. */
  readonly output: string;
}

/** `bin/slipway` as a process that runs. */
export class RunningSlipway {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #stdout: Buffer[] = [];
  #stderr = '';
  #over = false;

  constructor(args: readonly string[], { cwd, env, input, holdInput, launcher = [], group }: SlipwayOptions) {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OWN.test(name)));
    const [program = '', ...rest] = [...launcher, process.execPath, BIN, ...args];
    this.child = spawn(program, rest, {
      // A name that the store does not know must not make a test ask registries of the world.
      env: { ...inherited, SLIPWAY_OFFLINE: '1', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(cwd !== undefined && { cwd }),
      ...(group !== undefined && { detached: group }),
    });
    this.child.stdout!.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString('utf8')));
    this.child.stdin!.on('error', () => undefined); // it may end without having read
    this.child.stdin!.write(input ?? '');
    if (!holdInput) this.child.stdin!.end();
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        this.#over = true;
        const stdoutBytes = Buffer.concat(this.#stdout);
        const stdout = stdoutBytes.toString('utf8');
        resolve({ code, signal, stdout, stdoutBytes, stderr: this.#stderr, output: stdout + this.#stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get output(): string {
    return Buffer.concat(this.#stdout).toString('utf8') + this.#stderr;
  }

  /** Waits until the output matches. Throws when it ends without. */
  async saying(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.output)) {
      if (this.#over) throw new Error(`ended without ${pattern}:\n${this.output}`);
      await sleep(10);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

export function startSlipway(args: readonly string[], options: SlipwayOptions = {}): RunningSlipway {
  return new RunningSlipway(args, options);
}

/** Runs the command line to its end, whatever that is. */
export async function slipway(args: readonly string[], options: SlipwayOptions = {}): Promise<Ended> {
  return await startSlipway(args, options).ended;
}

/** The same, for a command that must succeed. */
export async function slipwayOk(args: readonly string[], options: SlipwayOptions = {}): Promise<Ended> {
  const ended = await slipway(args, options);
  if (ended.code === 0) return ended;
  throw new Error(`slipway ${args.join(' ')} ended with ${ended.code ?? ended.signal}:\n${ended.output}`);
}
