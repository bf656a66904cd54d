import { StringDecoder } from 'node:string_decoder';
import type { Cancel } from '../base/abort.js';
import { hasCode } from '../base/errors.js';
import type { NetworkReport } from '../executor/network/run-networks.js';
import type { JobContext } from '../job/context.js';
import type { ExecOp, FileAction } from '../llb/types.js';
import type { Digest } from '../oci/digest.js';
import { isPlainLayer } from '../oci/descriptor.js';
import { facesOf, type LayerFact } from '../store/refs.js';
import { withPassingLock } from '../store/lock.js';
import type { Store } from '../store/store.js';
import type { ContextViews } from './context/context-views.js';
import type { LayerContent } from './layer-content.js';
import type { LocalMachine } from './local-machine.js';
import type {
  ComingLayer,
  ContentSelection,
  ExecRequest,
  ExportTreeRequest,
  Face,
  FileOpAhead,
  FileOpRequest,
  Machine,
  OpInput,
  RefId,
  RunImageOptions,
  RunImageRequest,
  MachineOptions,
} from './machine.js';
import type { FileRole } from './ops/file.js';
import type { OpResult } from './ops/result.js';
import { secretsOf } from './secrets.js';
import { keepsLayers, type WorkerKind } from './worker-kind.js';

export interface MachinesOptions {
  readonly store: Store;
  /** Serves what needs no tree, in this process. */
  readonly here: Machine & Pick<LocalMachine, 'fileOpAhead'>;
  /** The kind that a worker would have; undefined when there can be none. Called once, when something first depends on it. */
  readonly workerKind: () => Promise<WorkerKind | undefined>;
  /** Starts the worker; called once, when something first needs a tree. */
  readonly startWorker: () => Promise<Machine & { stop(): Promise<void> }>;
  readonly contexts: ContextViews;
  readonly layers: LayerContent;
  readonly trustHostCa: boolean;
  /** Told when a process has been asked for: from then on this process waits, and has time for what comes later. */
  readonly onWait?: () => unknown;
}

/**
 * Sends each op where it can run: what needs a tree, a mount or a process goes to the worker, which is started for the
 * first of them; the rest is done in this process from layers and their tables of contents.
 */
export class Machines {
  readonly #options: MachinesOptions;
  #worker: Promise<Machine & { stop(): Promise<void> }> | undefined;
  #stopped: Promise<void> | undefined;
  #kind: Promise<WorkerKind | undefined> | undefined;

  constructor(options: MachinesOptions) {
    this.#options = options;
  }

  async fileOp(
    actions: readonly FileAction[],
    inputs: readonly OpResult[],
    { face: wanted, isOfImage, description, isBelowNetwork }: FileRole & Pick<FileOpRequest, 'description'>,
    job: JobContext,
  ): Promise<readonly RefId[]> {
    const face: Face = wanted === 'tree' && (await this.#makesTrees()) ? 'tree' : 'layer';
    const here = face === 'layer' && (await this.#allReadableHere(actions, inputs));
    const given = inputs.map((input) => this.#input(input, job, !here));
    const request = { actions, face, isOfImage, description, now: job.now(), inputs: given };
    if (here) return await this.#options.here.fileOp(request, job);
    const worker = await this.worker();
    // Other programs make it while this is done. Whoever needs it gets the error.
    if (face === 'tree' && isBelowNetwork) worker.network(undefined, job).catch(() => undefined);
    return await worker.fileOp(request, job);
  }

  /** As `LocalMachine.fileOpAhead`, for what would be done in this process. */
  async fileOpAhead(
    actions: readonly FileAction[],
    inputs: readonly OpResult[],
    { face, isOfImage, description }: Pick<FileOpRequest, 'face' | 'isOfImage' | 'description'>,
    job: JobContext,
  ): Promise<FileOpAhead | undefined> {
    if (face !== 'layer' || inputs.some((input) => input.kind !== 'context')) return undefined;
    const given = inputs.map((input) => this.#input(input, job, false));
    const request = { actions, face, isOfImage, description, now: job.now(), inputs: given };
    return await this.#options.here.fileOpAhead(request, job);
  }

  async exec(
    op: ExecOp,
    inputs: readonly OpResult[],
    { vertex, branches, copied }: Pick<ExecRequest, 'vertex' | 'branches' | 'copied'>,
    job: JobContext,
  ): Promise<readonly RefId[]> {
    const request = {
      op,
      vertex,
      branches,
      copied,
      now: job.now(),
      inputs: inputs.map((input) => this.#input(input, job, true)),
      trustHostCa: this.#options.trustHostCa,
      secrets: await secretsOf(op, job.session),
      agents: Object.fromEntries(job.session.agents ?? []),
    };
    // A character may lie across two chunks.
    const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
    const onOutput: MachineOptions['onOutput'] = (stream, chunk) =>
      job.emit({ type: 'log', vertex, stream, text: decoders[stream].write(chunk), at: job.now() });
    const running = (await this.worker()).exec(request, { signal: job.signal, onOutput });
    this.#options.onWait?.();
    return await running;
  }

  async contentDigest(result: OpResult, selection: ContentSelection, job: JobContext): Promise<Digest> {
    const here = result.kind === 'context' || (await this.#isLayered(result.ref));
    const machine = here ? this.#options.here : await this.worker();
    return await machine.contentDigest({ input: this.#input(result, job, false), selection }, job);
  }

  /** The layer face of a ref (`facesOf` its record), made if it is not there. */
  async layer(ref: string, opts: Cancel): Promise<LayerFact> {
    const { refs } = this.#options.store;
    const known = await refs.layer(ref);
    if (known) return known;
    const { signal } = opts;
    const made = await withPassingLock(this.#options.store.paths.lock(`layer-${ref}`), signal, async () => {
      if (!(await refs.layer(ref))) await (await this.worker()).pack(ref, opts); // else another job was first
      return await refs.layer(ref);
    });
    if (!made) throw new Error(`packing the ref ${ref} left no layer`);
    return made;
  }

  /** Bytes of a layer's uncompressed tar. */
  async layerSize(fact: LayerFact, opts: Cancel): Promise<number> {
    return await this.#options.layers.size(fact, opts);
  }

  async exportTree(request: ExportTreeRequest, opts: Cancel): Promise<void> {
    const here = await this.#isReadableHere(request.ref);
    await (here ? this.#options.here : await this.worker()).exportTree(request, opts);
  }

  /** As `Machine`; where no worker can be, nothing happens. */
  async unpackAhead(layers: readonly ComingLayer[], opts: Cancel): Promise<void> {
    const kind = await this.#workerKind();
    if (kind !== undefined && !this.#stopped) await (await this.worker()).unpackAhead(layers, opts);
  }

  /** By this process, and by the worker what belongs to others. Throws as starting a worker does. */
  async removeTrees(dirs: readonly string[], opts: Cancel): Promise<void> {
    const others: string[] = [];
    for (const dir of dirs) {
      try {
        await this.#options.here.removeTrees([dir], opts);
      } catch (error) {
        if (!hasCode(error, 'EACCES', 'EPERM')) throw error;
        others.push(dir);
      }
    }
    if (others.length > 0) await (await this.worker()).removeTrees(others, opts);
  }

  async network(opts: Cancel): Promise<NetworkReport> {
    return await (await this.worker()).network(undefined, opts);
  }

  async runImage(request: RunImageRequest, opts: RunImageOptions): Promise<number> {
    return await (await this.worker()).runImage(request, opts);
  }

  worker(): Promise<Machine & { stop(): Promise<void> }> {
    this.#worker ??= this.#options.startWorker();
    return this.#worker;
  }

  /** Where a change that a RUN will stand on is written as a tree at once. */
  async #makesTrees(): Promise<boolean> {
    const kind = await this.#workerKind();
    return kind !== undefined && !keepsLayers(kind);
  }

  #workerKind(): Promise<WorkerKind | undefined> {
    return (this.#kind ??= this.#options.workerKind());
  }

  /** Keeps for the next build what was found out about local directories. */
  async rememberContexts(): Promise<void> {
    await this.#options.contexts.remember();
  }

  /** What was kept of them goes, because it was wrong. */
  async forgetContexts(): Promise<void> {
    await this.#options.contexts.forget();
  }

  /**
   * Ends the worker, if one was started, and waits until it is gone. It may be called when no more ops will come, so that
   * the worker ends while this process does something else, and again by whoever must know that it has ended.
   */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#end());
  }

  async #end(): Promise<void> {
    await Promise.allSettled([this.#kind]); // nobody may wait for it, and what it tries lies in the job's folder
    const worker = await this.#worker?.catch(() => undefined); // whoever asked for it has got its error
    await worker?.stop();
  }

  /** A directory's file digests go along to the worker, so that it notices what changed since they were taken. */
  #input(result: OpResult, job: JobContext, withDigests: boolean): OpInput {
    if (result.kind === 'ref') return result;
    const { dir, ignore } = job.session.contexts.get(result.name)!;
    const context = { kind: 'context', name: result.name, dir, ignore } as const;
    return withDigests ? { ...context, digests: this.#options.contexts.digests(context) } : context;
  }

  async #allReadableHere(actions: readonly FileAction[], inputs: readonly OpResult[]): Promise<boolean> {
    for (const [i, input] of inputs.entries()) {
      if (input.kind === 'context') continue;
      const isSource = actions.some((action) => action.secondaryInput === i);
      if (!(await (isSource ? this.#isReadableHere(input.ref) : this.#isLayered(input.ref)))) return false;
    }
    return true;
  }

  /** Every change below is known as a layer, so names and modes can be read from tables of contents. */
  async #isLayered(ref: RefId): Promise<boolean> {
    return (await this.#layers(ref)) !== undefined;
  }

  /**
   * And contents can be read from it at any place: every layer lies uncompressed, or there is no worker that could unpack
   * it, so that this process makes it plain.
   */
  async #isReadableHere(ref: RefId): Promise<boolean> {
    const layers = await this.#layers(ref);
    if (!layers) return false;
    return layers.every((layer) => isPlainLayer(layer.blob.mediaType)) || (await this.#workerKind()) === undefined;
  }

  async #layers(ref: RefId): Promise<readonly LayerFact[] | undefined> {
    if (ref === null) return [];
    const { refs } = this.#options.store;
    const layers: LayerFact[] = [];
    for (const record of await refs.chain(ref)) {
      const layer = await refs.layer(facesOf(record));
      if (!layer) return undefined;
      layers.push(layer);
    }
    return layers;
  }
}
