import { explainSystemError } from '../../base/system-errors.js';
import { sweepDeadLeases } from '../../store/leases.js';
import { Store } from '../../store/store.js';
import { removeWork } from '../exec/chroot-support.js';
import { LocalMachine } from '../local-machine.js';
import type { Machine, RunImageOptions } from '../machine.js';
import { OutputCredit } from './output-credit.js';
import type { FromWorker, Method, ToWorker, WorkerSettings } from './protocol.js';
import { SignalRelay } from '../signal-relay.js';
import { toWire } from './wire-error.js';

interface Call {
  readonly stop: AbortController;
  readonly signals: SignalRelay;
  readonly credit: OutputCredit;
}

/**
 * Entry of the worker process. It is pid 1 of its own pid namespace, uid 0 of its own user namespace (or root), and its
 * mount namespace is its own: when it ends, whatever it started or mounted is gone.
 */
const calls = new Map<number, Call>();
let machine: LocalMachine | undefined;

process.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'settings':
      void start(message.settings);
      break;
    case 'call':
      void serve(message.id, message.method, message.request);
      break;
    case 'cancel':
      calls.get(message.id)?.stop.abort(new Error('canceled'));
      break;
    case 'taken':
      calls.get(message.id)?.credit.taken(message.bytes);
      break;
    case 'signal':
      calls.get(message.id)?.signals.deliver(message.signal);
  }
});
// The main process is gone, or is done: nothing of this build may stay.
process.on('disconnect', () => {
  try {
    machine?.leave();
  } finally {
    // Also when something is in the way, for example a process that still writes: the next worker sweeps it.
    process.exit(0);
  }
});
// Ctrl-C reaches the whole process group; the main process decides what it means.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(name, () => undefined);

async function start(settings: WorkerSettings): Promise<void> {
  process.umask(0o022);
  // It waits for nothing once the job is over: this process ends with it.
  const { signal } = new AbortController();
  const store = Store.join(settings.storeRoot, settings.leaseId, { signal });
  await sweepDeadLeases(store.paths, removeWork);
  machine = new LocalMachine(store, settings.kind, {
    worker: {
      networkMode: settings.networkMode,
      onProgress: (progress) => send({ type: 'progress', ...progress }),
      onNotice: (notice) => send({ type: 'notice', ...notice }),
    },
  });
  send({ type: 'ready' });
}

async function serve(id: number, method: Method, request: unknown): Promise<void> {
  const stop = new AbortController();
  const signals = new SignalRelay();
  const credit = new OutputCredit();
  calls.set(id, { stop, signals, credit });
  const opts: RunImageOptions = {
    signal: stop.signal,
    signals,
    onOutput: (stream, chunk) => {
      send({ type: 'output', id, stream, data: chunk.toString('base64') });
      return credit.sent(chunk.byteLength);
    },
  };
  try {
    if (!machine) throw new Error('called before it was ready');
    const call = machine[method] as (this: Machine, request: unknown, opts: RunImageOptions) => Promise<unknown>;
    send({ type: 'result', id, value: await call.call(machine, request, opts) });
  } catch (error) {
    send({ type: 'error', id, error: toWire(explainSystemError(error, 'the build was writing to the store')) });
  } finally {
    calls.delete(id);
  }
}

function send(message: FromWorker): void {
  process.send?.(message);
}
