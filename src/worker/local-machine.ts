import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Cancel } from '../base/abort.js';
import { fromText } from '../base/bytes.js';
import { unmountBelow } from '../base/linux/mounts-below.js';
import { removeTree } from '../base/remove-tree.js';
import { abandonRuns } from '../executor/chroot/chroot-executor.js';
import type { Digest } from '../oci/digest.js';
import type { Store } from '../store/store.js';
import { contentDigest } from './context/content-digest.js';
import { ContextViews } from './context/context-views.js';
import type { NetworkMode } from '../executor/network/network-mode.js';
import type { NetworkReport, RunNetworks } from '../executor/network/run-networks.js';
import type { PackedCopy } from './layer-writer.js';
import { openNetworks } from './exec/open-networks.js';
import { removeWork } from './exec/chroot-support.js';
import { SeenBelow } from './exec/look-ahead.js';
import { runExec } from './exec/run-exec.js';
import { runThrowAway } from './exec/run-image.js';
import { exportTree } from './export-tree.js';
import { beginFileOp } from './file-op/file-op-ahead.js';
import { runFileOp } from './file-op/run-file-op.js';
import { LayerContent } from './layer-content.js';
import type {
  ComingLayer,
  ContentRequest,
  ExecRequest,
  ExportTreeRequest,
  FileOpAhead,
  FileOpRequest,
  Machine,
  MachineOptions,
  Notice,
  Progress,
  RefId,
  RunImageOptions,
  RunImageRequest,
} from './machine.js';
import { RefViews } from './ref-views.js';
import { openTrees } from './trees/open-trees.js';
import type { Trees } from './trees/types.js';
import type { WorkerKind } from './worker-kind.js';

/** What the ops of this process share. */
export interface MachineParts {
  readonly store: Store;
  readonly layers: LayerContent;
  readonly views: RefViews;
  /** Absent in a process that may not mount. */
  readonly trees: Trees | undefined;
  /** Absent in a process that is no worker. */
  readonly kind: WorkerKind | undefined;
  /** Absent in a process that is no worker. */
  readonly networks: RunNetworks | undefined;
  /** Absent in a process that is no worker. */
  readonly below: SeenBelow | undefined;
  /** Follows the file, by its descriptor, that a layer of the job's image is packed into, for the form in which it will leave. */
  readonly beginCopy: ((tar: number, opts: Cancel) => Promise<PackedCopy | undefined>) | undefined;
}

/** What a worker is told, and whom it tells of what belongs to no call alone. */
export interface WorkerOptions {
  readonly networkMode: NetworkMode;
  readonly onProgress: (progress: Progress) => void;
  readonly onNotice: (notice: Notice) => void;
}

export interface LocalMachineOptions {
  readonly contexts?: ContextViews;
  readonly layers?: LayerContent;
  readonly worker?: WorkerOptions;
  readonly beginCopy?: MachineParts['beginCopy'];
}

/** The ops, done in this process. One that is no worker works on layers alone, and refuses what needs a tree. */
export class LocalMachine implements Machine {
  readonly #parts: MachineParts;
  readonly #contexts: ContextViews;
  #isAhead = false;

  constructor(store: Store, kind: WorkerKind | undefined, options: LocalMachineOptions = {}) {
    const { contexts = new ContextViews(), layers = new LayerContent(store), worker, beginCopy } = options;
    this.#contexts = contexts;
    const trees = kind && openTrees(kind, { store, layers, onProgress: worker?.onProgress });
    const networks = kind && openNetworks(kind, store, worker);
    const views = new RefViews(store, layers, contexts, trees);
    this.#parts = { store, layers, trees, kind, networks, views, beginCopy, below: kind && new SeenBelow() };
  }

  /**
   * Takes away what the process keeps for its runs. Only when nothing runs any more, or all of it is about to die. What
   * is still mounted is unmounted first, so that nothing behind a mount is removed.
   */
  leave(): void {
    const { store, trees, kind } = this.#parts;
    if (!trees) return;
    if (kind?.rung === 'chroot') abandonRuns();
    const work = store.paths.work(store.leaseId);
    unmountBelow(fromText(work));
    removeTree(work);
  }

  async fileOp(request: FileOpRequest, opts: Cancel): Promise<readonly RefId[]> {
    return await runFileOp(request, this.#parts, opts);
  }

  /** Begins a file op where its result is as good as certain to be needed; see `beginFileOp`. One at a time. */
  async fileOpAhead(request: FileOpRequest, opts: Cancel): Promise<FileOpAhead | undefined> {
    if (this.#isAhead) return undefined;
    this.#isAhead = true;
    try {
      return await beginFileOp(request, this.#contexts, this.#parts, opts);
    } finally {
      this.#isAhead = false;
    }
  }

  async exec(request: ExecRequest, opts: MachineOptions): Promise<readonly RefId[]> {
    return await runExec(request, withTrees(this.#parts), opts);
  }

  async unpackAhead(layers: readonly ComingLayer[], opts: Cancel): Promise<void> {
    await withTrees(this.#parts).trees.unpackAhead?.(layers, opts);
  }

  async pack(ref: string, opts: Cancel): Promise<void> {
    await withTrees(this.#parts).trees.pack(ref, opts);
  }

  async contentDigest({ input, selection }: ContentRequest, opts: Cancel): Promise<Digest> {
    if (input.kind === 'context') return await this.#contexts.contentDigest(input, selection, opts);
    using open = await this.#parts.views.openRef(input.ref, opts);
    const { below, trees } = this.#parts;
    const view = below ? await below.over(input.ref, open.view, trees, opts) : open.view;
    return await contentDigest(view, selection, opts);
  }

  async exportTree(request: ExportTreeRequest, opts: Cancel): Promise<void> {
    await exportTree(request, this.#parts, opts);
  }

  async removeTrees(dirs: readonly string[], { signal }: Cancel): Promise<void> {
    const { paths } = this.#parts.store;
    for (const dir of dirs) {
      signal.throwIfAborted();
      if (!dir.startsWith(`${paths.root}/`)) throw new Error(`not in the store: ${dir}`);
      const isWork = path.dirname(dir) === path.dirname(paths.work('-'));
      if (isWork) removeWork(dir);
      else removeTree(dir);
      await setImmediate(); // so that a cancellation is heard
    }
  }

  async network(_request: undefined, opts: Cancel): Promise<NetworkReport> {
    return await withTrees(this.#parts).networks.report(opts);
  }

  async runImage(request: RunImageRequest, opts: RunImageOptions): Promise<number> {
    return await runThrowAway(request, withTrees(this.#parts), opts);
  }
}

/** The parts of a worker. */
export type TreeParts = MachineParts & {
  readonly trees: Trees;
  readonly kind: WorkerKind;
  readonly networks: RunNetworks;
  readonly below: SeenBelow;
};

function withTrees(parts: MachineParts): TreeParts {
  const { trees, kind, networks, below } = parts;
  if (!trees || !kind || !networks || !below) throw new Error('this process has no trees');
  return { ...parts, trees, kind, networks, below };
}
