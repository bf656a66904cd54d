import type { JobContext } from '../job/context.js';
import type { Store } from '../store/store.js';
import type { ChosenRung } from '../worker/isolation/ladder.js';
import { chooseWorker, forgetReports, parseIsolation, workerKind } from './isolation.js';
import { ContextViews } from '../worker/context/context-views.js';
import { LayerContent } from '../worker/layer-content.js';
import { LocalMachine, type MachineParts } from '../worker/local-machine.js';
import type { Notice, Progress } from '../worker/machine.js';
import { loadNetworkMode, networkModeOf } from './network-mode.js';
import { Machines } from '../worker/machines.js';
import { WorkerProcess } from '../worker/process/client.js';

type BeginCopy = NonNullable<MachineParts['beginCopy']>;

export interface OpenMachinesOptions {
  readonly store: Store;
  readonly job: JobContext;
  /** `--isolation`; undefined chooses. */
  readonly isolation: string | undefined;
  readonly trustHostCa: boolean;
  /** As `MachineParts.beginCopy`. */
  readonly beginCopy?: MachineParts['beginCopy'];
  /** Told once, when a worker is about to be started, how it is isolated. */
  readonly onIsolation?: (chosen: ChosenRung) => void;
  /** As that of `MachinesOptions`. */
  readonly onWait?: () => unknown;
}

/** What runs the ops of a job: this process, and a worker that is started when something first needs a tree. */
export function openMachines(options: OpenMachinesOptions): Machines {
  const { store, job, isolation, trustHostCa } = options;
  parseIsolation(isolation); // a wrong name is an error also where no worker is needed
  networkModeOf(process.env); // the same goes for it
  const contexts = new ContextViews(store.contexts);
  const onProgress = (progress: Progress): void => job.emit({ ...progress, type: 'transfer', at: job.now() });
  const layers = new LayerContent(store, { onProgress });
  return new Machines({
    store,
    contexts,
    layers,
    trustHostCa,
    here: new LocalMachine(store, undefined, {
      contexts,
      layers,
      ...(options.beginCopy && { beginCopy: rememberingMeanwhile(options.beginCopy, contexts) }),
    }),
    ...(options.onWait && { onWait: options.onWait }),
    workerKind: () => workerKind(store, isolation, job),
    startWorker: async () => {
      const chosen = await chooseWorker(store, isolation, job);
      const text = `isolation: ${chosen.rung} (${chosen.reason})`;
      job.emit({ type: 'notice', level: 'info', text, at: job.now() });
      const networkMode = await loadNetworkMode(process.env);
      const kind = { rung: chosen.rung, trees: chosen.trees };
      options.onIsolation?.({ ...kind, reason: chosen.reason });
      const settings = { storeRoot: store.paths.root, leaseId: store.leaseId, kind, networkMode };
      try {
        const onNotice = (notice: Notice): void => job.emit({ ...notice, type: 'notice', at: job.now() });
        return await WorkerProcess.start(chosen.launch, settings, { signal: job.signal, onProgress, onNotice });
      } catch (error) {
        await forgetReports(store);
        throw error;
      }
    },
  });
}

/** While the other form of a layer is waited for, there is time to write down what was found out about local directories. */
function rememberingMeanwhile(begin: BeginCopy, contexts: ContextViews): BeginCopy {
  return async (tar, opts) => {
    const copy = await begin(tar, opts);
    return (
      copy && {
        wrote: (bytes) => copy.wrote(bytes),
        abandon: async () => await copy.abandon(),
        finish: async (layer) => void (await Promise.all([copy.finish(layer), contexts.remember()])),
      }
    );
  };
}
