import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { BuildError } from '../../base/errors.js';
import { refuseDebugger } from '../../base/refuse-debugger.js';
import { packageRoot } from '../../base/package-root.js';
import type { WorkerLaunch } from '../isolation/launch.js';
import { startLaunch } from '../isolation/start-launch.js';
import type { NetworkReport } from '../../executor/network/run-networks.js';
import type {
  ComingLayer,
  ContentRequest,
  ExecRequest,
  ExportTreeRequest,
  FileOpRequest,
  Machine,
  MachineOptions,
  Notice,
  OutputListener,
  Progress,
  RefId,
  RunImageOptions,
  RunImageRequest,
} from '../machine.js';
import type { Digest } from '../../oci/digest.js';
import { OutputReceipts } from './output-credit.js';
import { V8_FLAGS } from './flags.js';
import type { FromWorker, Method, ToWorker, WorkerSettings } from './protocol.js';
import { fromWire } from './wire-error.js';

interface Call {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onOutput: OutputListener | undefined;
  readonly receipts: OutputReceipts;
}

export interface StartOptions extends Cancel {
  /** Told of long work in the worker, whichever call it is for. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onNotice?: (notice: Notice) => void;
}

/** How long a worker that is told to stop may go on with what it cannot interrupt. */
const STOP_MS = 10_000;
/** A debugger that a RUN on `chroot` calls up, before the worker refuses it, must guess the address; see `refuseDebugger`. */
const DEBUGGER_FLAG = '--inspect-publish-uid=stderr';
const STDERR_KEPT = 8 * 1024;

/**
 * The worker process, seen from the main one: a Machine whose calls cross by Node's IPC channel. It dies with the main
 * process, however that ends (`setpriv --pdeathsig`, `unshare --kill-child`), and takes every process and mount of the
 * build with it, since they live in its namespaces.
 */
export class WorkerProcess implements Machine {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, Call>();
  readonly #exited: Promise<void>;
  readonly #tell: Pick<StartOptions, 'onProgress' | 'onNotice'>;
  #nextId = 1;
  #dead: BuildError | undefined;

  private constructor(child: ChildProcess, stderr: () => string, tell: StartOptions) {
    this.#child = child;
    this.#tell = tell;
    child.on('message', (message) => this.#receive(message as FromWorker));
    this.#exited = ended(child).then((how) => {
      this.#dead = died(how, stderr());
      for (const call of this.#calls.values()) call.reject(this.#dead);
      this.#calls.clear();
    });
  }

  /**
   * Starts a worker in the namespaces of the chosen rung. Throws WORKER_FAILED with what it wrote to stderr, and
   * ISOLATION_UNAVAILABLE when it cannot get its ids.
   */
  static async start(launch: WorkerLaunch, settings: WorkerSettings, options: StartOptions): Promise<WorkerProcess> {
    const { signal } = options;
    signal.throwIfAborted();
    const entry = path.join(packageRoot(), 'bin', 'worker.cjs');
    if (settings.kind.rung === 'chroot') refuseDebugger(); // its RUN may signal this process
    const { child, mapped } = startLaunch(launch, [process.execPath, DEBUGGER_FLAG, ...V8_FLAGS, entry], {
      signal,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // It speaks no TLS, and Node.js 20 would read all of these certificates when it starts.
      env: { ...process.env, NODE_EXTRA_CA_CERTS: undefined },
      serialization: 'json',
    });
    let stderr = '';
    child.stderr!.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-STDERR_KEPT)));
    const ready = new Promise<void>((resolve, reject) => {
      child.once('error', (error) => {
        reject(new BuildError('WORKER_FAILED', `the worker could not be started: ${error.message}`, { cause: error }));
      });
      void ended(child).then((how) => reject(died(how, stderr)));
      child.once('message', () => resolve());
    });
    ready.catch(() => undefined); // thrown below, unless there is a better reason
    send(child, { type: 'settings', settings });
    const worker = new WorkerProcess(child, () => stderr, options);
    try {
      await mapped;
      await ready;
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return worker;
  }

  /** Ends the worker and everything in it, and waits until it is gone. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#exited;
    clearTimeout(late);
  }

  async fileOp(request: FileOpRequest, opts: Cancel): Promise<readonly RefId[]> {
    return (await this.#call('fileOp', request, opts)) as readonly RefId[];
  }
  async exec(request: ExecRequest, opts: MachineOptions): Promise<readonly RefId[]> {
    return (await this.#call('exec', request, opts, opts.onOutput)) as readonly RefId[];
  }
  async unpackAhead(layers: readonly ComingLayer[], opts: Cancel): Promise<void> {
    await this.#call('unpackAhead', layers, opts);
  }
  async pack(ref: string, opts: Cancel): Promise<void> {
    await this.#call('pack', ref, opts);
  }
  async contentDigest(request: ContentRequest, opts: Cancel): Promise<Digest> {
    return (await this.#call('contentDigest', request, opts)) as Digest;
  }
  async exportTree(request: ExportTreeRequest, opts: Cancel): Promise<void> {
    await this.#call('exportTree', request, opts);
  }
  async removeTrees(dirs: readonly string[], opts: Cancel): Promise<void> {
    await this.#call('removeTrees', dirs, opts);
  }
  async network(request: undefined, opts: Cancel): Promise<NetworkReport> {
    return (await this.#call('network', request, opts)) as NetworkReport;
  }
  async runImage(request: RunImageRequest, opts: RunImageOptions): Promise<number> {
    const id = this.#nextId;
    const answer = this.#call('runImage', request, opts, opts.onOutput);
    opts.signals.subscribe((signal) => send(this.#child, { type: 'signal', id, signal }));
    return (await answer) as number;
  }

  /** The call is answered even when it is canceled: only then has everything that it started stopped. */
  async #call(method: Method, request: unknown, { signal }: Cancel, onOutput?: OutputListener): Promise<unknown> {
    signal.throwIfAborted();
    if (this.#dead) throw this.#dead;
    const id = this.#nextId++;
    const receipts = new OutputReceipts((bytes) => send(this.#child, { type: 'taken', id, bytes }));
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, onOutput, receipts });
    });
    const cancel = (): void => send(this.#child, { type: 'cancel', id });
    signal.addEventListener('abort', cancel, { once: true });
    send(this.#child, { type: 'call', id, method, request });
    try {
      return await answer;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  #receive(message: FromWorker): void {
    if (message.type === 'ready') return;
    if (message.type === 'progress') return this.#tell.onProgress?.(message);
    if (message.type === 'notice') return this.#tell.onNotice?.(message);
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.type === 'output') {
      const chunk = Buffer.from(message.data, 'base64');
      const taken = call.onOutput?.(message.stream, chunk);
      if (taken) void taken.finally(() => call.receipts.taken(chunk.byteLength));
      else call.receipts.taken(chunk.byteLength);
      return;
    }
    this.#calls.delete(message.id);
    if (message.type === 'result') call.resolve(message.value);
    else call.reject(fromWire(message.error));
  }
}

/**
 * How the process ended, once it has and its stderr has been read. Not the `close` event: that never comes after a
 * `disconnect` from this side.
 */
async function ended(child: ChildProcess): Promise<string> {
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  const read = new Promise((resolve) => child.stderr!.once('close', resolve));
  const how = await exited;
  if (child.pid !== undefined) await read;
  return how;
}

/** A message that cannot be sent because the worker has gone is answered by its `close`. */
function send(child: ChildProcess, message: ToWorker): void {
  if (child.connected) child.send(message, () => undefined);
}

/** What `unshare` of util-linux 2.38 says and exits with 1 where it means to end by the signal that ended its child. */
const ENDED_BY_SIGNAL = /^unshare: sigprocmask unblock failed/m;

function died(how: string, stderr: string): BuildError {
  const said = stderr.trim();
  if (how === 'SIGKILL' || ENDED_BY_SIGNAL.test(said)) {
    return new BuildError('WORKER_FAILED', 'the worker process was killed', {
      hint: 'often the machine ran out of memory; what was finished is kept, and the next build goes on from there',
    });
  }
  return new BuildError('WORKER_FAILED', `the worker process ended with ${how}${said ? `:\n${said}` : ''}`, {
    hint: 'run `slipway doctor` to see what this machine allows',
  });
}
