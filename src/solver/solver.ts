import { childSignal } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import type { Edge, Vertex, VertexDigest } from '../llb/types.js';
import { topological } from '../llb/vertex.js';
import { cacheKey, freshKey, type KeyInput } from './cache-key.js';
import { Semaphore } from '../base/semaphore.js';
import type { CacheKey, CacheMap, OpRunner, SolverOptions } from './types.js';

/** What is known of a vertex before it has run. */
interface Probe<R> {
  /** Stands for the result in the keys of what uses it; undefined for a transient result. */
  readonly key: CacheKey | undefined;
  /** Keys of definition and content, which lead to `key` once there is a result. */
  readonly names: readonly CacheKey[];
  readonly cached: readonly R[] | undefined;
}

/**
 * Evaluates an edge of the graph. A vertex is probed first: its definition key is looked up, which needs nothing but
 * the keys of its inputs; then, only when that misses, its content key, for which the inputs that count by content are
 * evaluated. It runs only when both miss and something needs its result, so the inputs of a cached vertex never run. What
 * another job is making at the moment is waited for, and taken.
 *
 * The first failure aborts the job, and is thrown after everything that was started has stopped.
 */
export async function solve<R>(target: Edge, options: SolverOptions<R>, job: JobContext): Promise<R> {
  const { signal, abort } = childSignal(job.signal);
  const run = new Evaluation<R>(options, { ...job, signal }, abort);
  return await run.evaluate(target);
}

class Evaluation<R> {
  readonly #options: SolverOptions<R>;
  readonly #job: JobContext;
  readonly #abort: (reason: unknown) => void;
  readonly #runners = new Map<VertexDigest, OpRunner<R>>();
  readonly #probes = new Map<VertexDigest, Promise<Probe<R>>>();
  readonly #results = new Map<VertexDigest, Promise<readonly R[]>>();
  readonly #reported = new Set<VertexDigest>();
  readonly #processes: Semaphore;
  readonly #others: Semaphore;
  /** Settled once an op whose result can be cached has to run: this is not a build that only looks things up. */
  readonly #moving: Promise<void>;
  #move!: () => void;
  /** Settled once a process is started: from then on this machine has time for what is not needed first. */
  readonly #waiting: Promise<void>;
  #wait!: () => void;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: SolverOptions<R>, job: JobContext, abort: (reason: unknown) => void) {
    this.#options = options;
    this.#job = job;
    this.#abort = abort;
    this.#processes = new Semaphore(options.parallelism.processes);
    this.#others = new Semaphore(options.parallelism.others);
    this.#moving = new Promise((resolve) => (this.#move = resolve));
    this.#waiting = new Promise((resolve) => (this.#wait = resolve));
  }

  async evaluate(target: Edge): Promise<R> {
    for (const vertex of topological(target.vertex)) {
      this.#job.emit({
        type: 'vertex-queued',
        vertex: vertex.digest,
        name: vertex.options.name,
        inputs: vertex.inputs.map((edge) => edge.vertex.digest),
        ...(vertex.options.stage !== undefined && { stage: vertex.options.stage }),
        at: this.#job.now(),
      });
    }
    let result: R | undefined;
    try {
      result = await this.#output(target);
      this.#abort(new Error('not needed')); // what ran ahead in vain
    } catch (error) {
      this.#fail(error);
    }
    await this.#settle();
    if (this.#failure) throw this.#failure.error;
    return result as R;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#abort(this.#failure.error);
  }

  /** Waits until nothing that was started is running any more, and has what was begun in vain taken away. */
  async #settle(): Promise<void> {
    for (let before = -1; before !== this.#probes.size + this.#results.size;) {
      before = this.#probes.size + this.#results.size;
      await Promise.allSettled([...this.#probes.values(), ...this.#results.values()]);
    }
    const left = await Promise.allSettled([...this.#runners.values()].map((runner) => runner.leave?.()));
    for (const one of left) if (one.status === 'rejected') this.#fail(one.reason);
  }

  async #output(edge: Edge): Promise<R> {
    const results = await this.#result(edge.vertex);
    const result = results[edge.output];
    if (result === undefined) throw new Error(`\`${edge.vertex.options.name}\` has no output ${edge.output}`);
    return result;
  }

  #runner(vertex: Vertex): OpRunner<R> {
    let runner = this.#runners.get(vertex.digest);
    if (!runner) this.#runners.set(vertex.digest, (runner = this.#options.resolve(vertex)));
    return runner;
  }

  #probe(vertex: Vertex): Promise<Probe<R>> {
    let probe = this.#probes.get(vertex.digest);
    if (!probe) this.#probes.set(vertex.digest, (probe = this.#guard(vertex, () => this.#lookUp(vertex))));
    return probe;
  }

  #result(vertex: Vertex): Promise<readonly R[]> {
    let result = this.#results.get(vertex.digest);
    if (!result) this.#results.set(vertex.digest, (result = this.#guard(vertex, () => this.#produce(vertex))));
    return result;
  }

  /** The first failure is the reason; whatever stops because of it is reported as canceled. */
  async #guard<T>(vertex: Vertex, work: () => Promise<T>): Promise<T> {
    try {
      this.#job.signal.throwIfAborted();
      return await work();
    } catch (error) {
      const first = this.#failure === undefined && !this.#job.signal.aborted;
      if (first) this.#fail(error);
      if (!this.#reported.has(vertex.digest)) {
        this.#reported.add(vertex.digest);
        const at = this.#job.now();
        if (first) {
          const code = error instanceof BuildError ? error.code : 'BUG';
          const message = error instanceof Error ? error.message : String(error);
          this.#job.emit({ type: 'vertex-failed', vertex: vertex.digest, code, message, at });
        } else this.#job.emit({ type: 'vertex-canceled', vertex: vertex.digest, at });
      }
      throw error;
    }
  }

  async #lookUp(vertex: Vertex): Promise<Probe<R>> {
    const map = await this.#runner(vertex).cacheMap(this.#job);
    if (map.inputs.some(({ contentDigest }) => contentDigest)) {
      // What it reads must be there to key it. What it is laid on is needed later, and must not take the time of the former.
      for (const [i, edge] of vertex.inputs.entries()) {
        this.#runAhead(edge.vertex, map.inputs[i]?.contentDigest ? this.#moving : this.#waiting);
      }
    }
    const inputs = await Promise.all(vertex.inputs.map((edge) => this.#probe(edge.vertex)));
    if (map.lifetime === 'transient') return { key: undefined, names: [], cached: undefined };
    const definition = definitionKey(map, inputs);
    const byContent = map.inputs.some((input) => input.contentDigest);
    if (vertex.options.ignoreCache) {
      const names = known(definition, byContent ? await this.#contentKey(vertex, map, inputs) : undefined);
      // Without any (an input is transient) the op's own digest with a nonce is as good.
      const key = freshKey(names[0] ?? cacheKey(map.digest, []), this.#options.nonce());
      return { key, names, cached: undefined };
    }
    if (definition) {
      const key = byContent ? await this.#options.cache.alias(definition) : await this.#resultKey(definition);
      const cached = key && (await this.#options.cache.load(key));
      if (cached) return await this.#hit(vertex, { key, names: [], cached });
      // The result is gone, but its name may still hit further down; without content inputs nothing else names it.
      if (!byContent) return { key: key ?? definition, names: [definition], cached: undefined };
    }
    const content = await this.#contentKey(vertex, map, inputs);
    if (!content) return { key: undefined, names: [], cached: undefined };
    const names = known(definition, content);
    const key = await this.#resultKey(content);
    const cached = await this.#options.cache.load(key);
    if (!cached) return { key, names, cached: undefined };
    await this.#options.cache.save(names, key, cached);
    return await this.#hit(vertex, { key, names, cached });
  }

  /** The result key under one that can be a result's own: itself, unless `--no-cache` recorded a fresh one. */
  async #resultKey(name: CacheKey): Promise<CacheKey> {
    return (await this.#options.cache.alias(name)) ?? name;
  }

  async #hit(vertex: Vertex, probe: Probe<R>): Promise<Probe<R>> {
    await this.#runner(vertex).leave?.();
    this.#complete(vertex, true);
    return probe;
  }

  /**
   * Runs what will be needed for a content key before its turn comes, so that stages that do not depend on each other
   * run beside each other: once anything has to run, whatever missed the cache is as good as needed.
   */
  #runAhead(vertex: Vertex, start = this.#moving): void {
    const ahead = async (): Promise<void> => {
      const [probe] = await Promise.all([this.#probe(vertex), start]);
      if (probe.key && !probe.cached) await this.#result(vertex);
    };
    ahead().catch(() => undefined); // reported by its guard, and thrown to whoever needs it
  }

  /** Undefined when an input counts by key and has none. */
  async #contentKey(vertex: Vertex, map: CacheMap<R>, inputs: readonly Probe<R>[]): Promise<CacheKey | undefined> {
    for (const edge of vertex.inputs) this.#runAhead(edge.vertex);
    const parts = await Promise.all(
      vertex.inputs.map(async (edge, i): Promise<KeyInput | undefined> => {
        const digest = map.inputs[i]!.contentDigest;
        if (digest) return { by: 'content', digest: await digest(await this.#output(edge), this.#job) };
        const key = inputs[i]!.key;
        return key && keyInput(key, map.inputs[i]!.selector);
      }),
    );
    return parts.every((part) => part !== undefined) ? cacheKey(map.digest, parts) : undefined;
  }

  async #produce(vertex: Vertex): Promise<readonly R[]> {
    const probe = await this.#probe(vertex);
    if (probe.cached) return probe.cached;
    if (probe.key) this.#move();
    const inputs = await Promise.all(vertex.inputs.map((edge) => this.#output(edge)));
    const places = vertex.op.kind === 'exec' ? this.#processes : this.#others;
    return await places.run(this.#job.signal, async () => {
      if (!probe.key || vertex.options.ignoreCache) return await this.#execute(vertex, inputs, probe);
      const { cache } = this.#options;
      return await cache.alone(probe.key, this.#job.signal, async () => {
        const made = await cache.load(probe.key!);
        if (!made) return await this.#execute(vertex, inputs, probe);
        await cache.save(probe.names, probe.key!, made);
        await this.#hit(vertex, probe);
        return made;
      });
    });
  }

  async #execute(vertex: Vertex, inputs: readonly R[], { key, names }: Probe<R>): Promise<readonly R[]> {
    this.#job.emit({ type: 'vertex-started', vertex: vertex.digest, at: this.#job.now() });
    if (vertex.op.kind === 'exec') this.#wait();
    const results = await this.#runner(vertex).exec(inputs, this.#job);
    if (key) await this.#options.cache.save(names, key, results);
    this.#complete(vertex, false);
    return results;
  }

  #complete(vertex: Vertex, cached: boolean): void {
    if (this.#reported.has(vertex.digest)) return;
    this.#reported.add(vertex.digest);
    this.#job.emit({ type: 'vertex-completed', vertex: vertex.digest, cached, at: this.#job.now() });
  }
}

function known(...keys: readonly (CacheKey | undefined)[]): readonly CacheKey[] {
  return keys.filter((key) => key !== undefined);
}

/** Undefined when an input has no key: nothing can be looked up by definition then. */
function definitionKey<R>(map: CacheMap<R>, inputs: readonly Probe<R>[]): CacheKey | undefined {
  const parts: KeyInput[] = [];
  for (const [i, input] of inputs.entries()) {
    if (!input.key) return undefined;
    parts.push(keyInput(input.key, map.inputs[i]?.selector));
  }
  return cacheKey(map.digest, parts);
}

function keyInput(key: CacheKey, selector: string | undefined): KeyInput {
  return { by: 'key', key, ...(selector !== undefined && { selector }) };
}
