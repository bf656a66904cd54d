import type { Digest } from '../oci/digest.js';
import type { JobContext } from '../job/context.js';
import type { Vertex } from '../llb/types.js';

/** How one input takes part in a vertex's key. */
export interface CacheMapInput<R> {
  /** Part of the input that the op reads; enters the definition key. */
  readonly selector?: string;
  /** Digest of what the op reads of the input. Absent: the input counts by its own key alone. */
  readonly contentDigest?: (input: R, job: JobContext) => Promise<Digest>;
}

export interface CacheMap<R> {
  /** Digest of the op by itself, without its inputs. */
  readonly digest: Digest;
  readonly inputs: readonly CacheMapInput<R>[];
  /** `transient`: the result has no key of its own (a local directory); what uses it is keyed by content. */
  readonly lifetime: 'cacheable' | 'transient';
}

/** Behaviour of an op: says how it is keyed, and runs only on a miss. */
export interface OpRunner<R> {
  cacheMap(job: JobContext): Promise<CacheMap<R>>;
  /** One result an output. */
  exec(inputs: readonly R[], job: JobContext): Promise<readonly R[]>;
  /** Told when the op will not be run any more: what it began while it was keyed is not needed. May be told again. */
  leave?(): Promise<void>;
}

declare const brand: unique symbol;
/** Names a result: equal keys, interchangeable results. */
export type CacheKey = Digest & { readonly [brand]: 'CacheKey' };

/**
 * What is remembered under a definition key: the key that stands for the result further down. With content inputs the
 * two differ; that is how a step stays cached though the step it reads from ran again. After `--no-cache` a content key
 * leads to a fresh one in the same way.
 */
export interface CacheStore<R> {
  /** The result key that was recorded under a key of definition or content. */
  alias(name: CacheKey): Promise<CacheKey | undefined>;
  /** The results under a key; undefined when there are none or they are no longer whole. */
  load(key: CacheKey): Promise<readonly R[] | undefined>;
  /** Runs `work` while nobody else, in any process, does so for this key. */
  alone<T>(key: CacheKey, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Records results that are durable already under their key, and that `names` lead to it. */
  save(names: readonly CacheKey[], key: CacheKey, results: readonly R[]): Promise<void>;
}

/** Each 1 or more. */
export interface Parallelism {
  /** Of `exec`, each of which starts a process that this one only waits for. */
  readonly processes: number;
  /** Of all others together. */
  readonly others: number;
}

export interface SolverOptions<R> {
  readonly resolve: (vertex: Vertex) => OpRunner<R>;
  readonly cache: CacheStore<R>;
  /** Ops that may execute at once. */
  readonly parallelism: Parallelism;
  /** Fresh randomness for the key of a vertex that must not reuse an older result. */
  readonly nonce: () => string;
}
