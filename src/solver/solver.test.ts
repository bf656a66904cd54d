import { beforeEach, expect, test } from 'vitest';
import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import type { BuildEvent } from '../job/events.js';
import type { Edge, Op, Vertex } from '../llb/types.js';
import { makeVertex } from '../llb/vertex.js';
import { digestOf, type Digest } from '../oci/digest.js';
import { solve } from './solver.js';
import type { CacheKey, CacheStore, OpRunner } from './types.js';

/** A fake op: its result is its content, and how often it ran is counted. */
interface Fake {
  readonly name: string;
  readonly inputs?: readonly string[];
  /** Content of the result; default made of name and run. */
  readonly content?: () => string;
  /** Inputs that count by content. */
  readonly byContent?: readonly number[];
  readonly transient?: boolean;
  readonly ignoreCache?: boolean;
  readonly exec?: (signal: AbortSignal) => Promise<void>;
  /** It starts a process, as a RUN. */
  readonly isProcess?: boolean;
}

class MemoryCache implements CacheStore<string> {
  readonly aliases = new Map<CacheKey, CacheKey>();
  readonly results = new Map<CacheKey, readonly string[]>();
  async alias(definition: CacheKey): Promise<CacheKey | undefined> {
    return this.aliases.get(definition);
  }
  async load(key: CacheKey): Promise<readonly string[] | undefined> {
    return this.results.get(key);
  }
  /** What another job does before it lets us in. */
  before: (key: CacheKey) => void = () => undefined;
  async alone<T>(key: CacheKey, _signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    this.before(key);
    return await work();
  }
  async save(names: readonly CacheKey[], key: CacheKey, results: readonly string[]): Promise<void> {
    this.results.set(key, results);
    for (const name of names) if (name !== key) this.aliases.set(name, key);
  }
}

let cache: MemoryCache;
let ran: string[];
/** Whose runner was told that it may leave, and what had run by then. */
let left: string[];
let events: BuildEvent[];

beforeEach(() => {
  cache = new MemoryCache();
  ran = [];
  left = [];
  events = [];
});

function source(name: string): Op {
  return { kind: 'source', identifier: `fake://${name}`, attrs: {} };
}

function process(name: string): Op {
  const meta = { args: [name], env: [], cwd: '/', user: '' };
  return { kind: 'exec', meta, mounts: [], network: 'none', security: 'sandbox' };
}

/** Solves for the last fake. */
async function run(fakes: readonly Fake[], signal = new AbortController().signal): Promise<string> {
  const vertices = new Map<string, Vertex>();
  const byDigest = new Map<Digest, Fake>();
  for (const fake of fakes) {
    const inputs = (fake.inputs ?? []).map((name): Edge => ({ vertex: vertices.get(name)!, output: 0 }));
    const op = fake.isProcess ? process(fake.name) : source(fake.name);
    const options = { name: fake.name, ignoreCache: fake.ignoreCache ?? false };
    const vertex = makeVertex(op, inputs, { os: 'linux', architecture: 'amd64' }, options);
    vertices.set(fake.name, vertex);
    byDigest.set(vertex.digest, fake);
  }
  const resolve = (vertex: Vertex): OpRunner<string> => {
    const fake = byDigest.get(vertex.digest)!;
    return {
      cacheMap: async () => ({
        digest: digestOf(fake.name),
        lifetime: fake.transient ? 'transient' : 'cacheable',
        inputs: vertex.inputs.map((_, i) =>
          fake.byContent?.includes(i) ? { contentDigest: async (input: string) => digestOf(input) } : {},
        ),
      }),
      exec: async (_inputs, job) => {
        ran.push(fake.name);
        await fake.exec?.(job.signal);
        job.signal.throwIfAborted();
        return [fake.content?.() ?? `${fake.name} ${ran.length}`];
      },
      leave: async () => void left.push(`${fake.name} after ${ran.join(' ')}`.trim()),
    };
  };
  let nonce = 0;
  const parallelism = { processes: 12, others: 4 };
  const job: JobContext = {
    signal,
    emit: (event) => events.push(event),
    now: () => 0,
    session: { contexts: new Map() },
  };
  const target: Edge = { vertex: [...vertices.values()].at(-1)!, output: 0 };
  return await solve(target, { resolve, cache, parallelism, nonce: () => `n${nonce++}${Math.random()}` }, job);
}

function completed(cached: boolean): string[] {
  const names = new Map(
    events.flatMap((one) => (one.type === 'vertex-queued' ? [[one.vertex, one.name] as const] : [])),
  );
  return events.flatMap((one) =>
    one.type === 'vertex-completed' && one.cached === cached ? [names.get(one.vertex)!] : [],
  );
}

test('runs what it needs once, inputs first', async () => {
  await run([
    { name: 'a' },
    { name: 'b', inputs: ['a'] },
    { name: 'c', inputs: ['a'] },
    { name: 'd', inputs: ['b', 'c'] },
  ]);
  expect(ran.slice().sort()).toEqual(['a', 'b', 'c', 'd']);
  expect(ran[0]).toBe('a');
  expect(ran[3]).toBe('d');
});

test('a second time nothing runs, and everything is reported as cached', async () => {
  const graph = [{ name: 'a' }, { name: 'b', inputs: ['a'] }];
  const first = await run(graph);
  ran = [];
  events = [];
  expect(await run(graph)).toBe(first);
  expect(ran).toEqual([]);
  expect(completed(true).sort()).toEqual(['a', 'b']);
});

test('the inputs of a cached vertex do not run, though their results are gone', async () => {
  const graph = [{ name: 'a' }, { name: 'b', inputs: ['a'] }];
  await run(graph);
  for (const [key, results] of cache.results) if (results[0]!.startsWith('a')) cache.results.delete(key);
  ran = [];
  await run(graph);
  expect(ran).toEqual([]);
});

test('what reads by content stays cached though what it reads from ran again', async () => {
  const graph = (builder: string): Fake[] => [
    { name: builder, content: () => 'same bytes' },
    { name: 'copy', inputs: [builder], byContent: [0] },
    { name: 'next', inputs: ['copy'] },
  ];
  await run(graph('builder-1'));
  ran = [];
  await run(graph('builder-2'));
  expect(ran).toEqual(['builder-2']);
});

test('and runs, with all above it, when the content is another', async () => {
  const graph = (builder: string): Fake[] => [
    { name: builder, content: () => `bytes of ${builder}` },
    { name: 'copy', inputs: [builder], byContent: [0] },
    { name: 'next', inputs: ['copy'] },
  ];
  await run(graph('builder-1'));
  ran = [];
  await run(graph('builder-2'));
  expect(ran).toEqual(['builder-2', 'copy', 'next']);
});

test('with a definition hit the content is not even asked for', async () => {
  const graph: Fake[] = [
    { name: 'builder', content: () => 'bytes' },
    { name: 'copy', inputs: ['builder'], byContent: [0] },
  ];
  await run(graph);
  for (const [key, results] of cache.results) if (results[0] === 'bytes') cache.results.delete(key);
  ran = [];
  await run(graph);
  expect(ran).toEqual([]);
});

test('a local directory is read every time, and what copies it is keyed by content', async () => {
  let bytes = 'v1';
  const graph: Fake[] = [
    { name: 'local', transient: true, content: () => bytes },
    { name: 'copy', inputs: ['local'], byContent: [0] },
  ];
  await run(graph);
  ran = [];
  await run(graph);
  expect(ran).toEqual(['local']);
  bytes = 'v2';
  ran = [];
  await run(graph);
  expect(ran).toEqual(['local', 'copy']);
});

test('without the cache everything runs, and the build after it uses the new results', async () => {
  const graph = (ignoreCache: boolean): Fake[] => [
    { name: 'a', ignoreCache },
    { name: 'b', inputs: ['a'], ignoreCache },
  ];
  await run(graph(false));
  ran = [];
  const fresh = await run(graph(true));
  expect(ran).toEqual(['a', 'b']);
  ran = [];
  expect(await run(graph(false))).toBe(fresh);
  expect(ran).toEqual([]);
});

test('so it is for steps that read by content, of a local directory too', async () => {
  const graph = (ignoreCache: boolean): Fake[] => [
    { name: 'local', transient: true, content: () => 'same bytes' },
    { name: 'copy', inputs: ['local'], byContent: [0], ignoreCache },
    { name: 'next', inputs: ['copy'], ignoreCache },
  ];
  await run(graph(false));
  const fresh = await run(graph(true));
  ran = [];
  expect(await run(graph(false))).toBe(fresh);
  expect(ran).toEqual(['local']);
});

test('what stands on a step that ran without the cache runs too', async () => {
  const graph = (ignoreCache: boolean): Fake[] => [
    { name: 'a', ignoreCache },
    { name: 'b', inputs: ['a'] },
  ];
  await run(graph(false));
  ran = [];
  await run(graph(true));
  expect(ran).toEqual(['a', 'b']);
});

test('the first failure is the reason, and siblings have stopped when it is thrown', async () => {
  let siblingStopped = false;
  const failure = new BuildError('RUN_FAILED', 'no');
  const graph: Fake[] = [
    { name: 'bad', exec: async () => await Promise.reject(failure) },
    {
      name: 'slow',
      exec: async (signal) => {
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => setTimeout(resolve, 20)));
        siblingStopped = true;
        signal.throwIfAborted();
      },
    },
    { name: 'top', inputs: ['slow', 'bad'] },
  ];
  await expect(run(graph)).rejects.toBe(failure);
  expect(siblingStopped).toBe(true);
  expect(events.filter((one) => one.type === 'vertex-failed')).toHaveLength(1);
  expect(events.filter((one) => one.type === 'vertex-canceled').length).toBeGreaterThanOrEqual(2);
});

test('a failed step leaves no record', async () => {
  let fail = true;
  const graph: Fake[] = [
    {
      name: 'a',
      exec: async () => {
        if (fail) throw new BuildError('RUN_FAILED', 'no');
      },
    },
  ];
  await expect(run(graph)).rejects.toThrow('no');
  fail = false;
  ran = [];
  await run(graph);
  expect(ran).toEqual(['a']);
});

test('an abort from outside is thrown as its reason', async () => {
  const stop = new AbortController();
  const reason = new Error('ctrl-c');
  const graph: Fake[] = [
    {
      name: 'a',
      exec: async (signal) => {
        stop.abort(reason);
        signal.throwIfAborted();
      },
    },
  ];
  await expect(run(graph, stop.signal)).rejects.toBe(reason);
});

test('independent vertices run at the same time', async () => {
  let running = 0;
  let most = 0;
  const exec = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 20));
    running--;
  };
  await run([
    { name: 'a', exec },
    { name: 'b', exec },
    { name: 'c', exec },
    { name: 'd', inputs: ['a', 'b', 'c'] },
  ]);
  expect(most).toBe(3);
});

/** Waits for a number of companions; fails when they do not come. */
function meeting(size: number): () => Promise<void> {
  let here = 0;
  return async () => {
    here++;
    for (let wait = 0; here < size; wait++) {
      if (wait === 100) throw new Error(`only ${here} of ${size} ran at the same time`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
}

test('processes run at the same time, and beside what works in this one', async () => {
  const [processes, others] = [meeting(12), meeting(4)];
  const names = Array.from({ length: 16 }, (_, i) => `step-${i}`);
  const steps = names.map((name, i) => (i < 12 ? { name, isProcess: true, exec: processes } : { name, exec: others }));
  await run([...steps, { name: 'all', inputs: names }]);
});

test('of what works in this process only so much runs at the same time', async () => {
  let [running, most] = [0, 0];
  const exec = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
  };
  const names = Array.from({ length: 12 }, (_, i) => `step-${i}`);
  await run([...names.map((name) => ({ name, exec })), { name: 'all', inputs: names }]);
  expect(most).toBe(4);
});

test('stages that are copied one after the other run at the same time', async () => {
  const exec = meeting(3);
  await run([
    { name: 'base' },
    { name: 'a', inputs: ['base'], exec },
    { name: 'b', inputs: ['base'], exec },
    { name: 'c', inputs: ['base'], exec },
    { name: 'copy-a', inputs: ['base', 'a'], byContent: [1] },
    { name: 'copy-b', inputs: ['copy-a', 'b'], byContent: [1] },
    { name: 'copy-c', inputs: ['copy-b', 'c'], byContent: [1] },
  ]);
});

test('what stands below a copy runs at the same time as what is copied', async () => {
  const exec = meeting(2);
  await run([
    { name: 'base' },
    { name: 'stage', inputs: ['base'], exec },
    { name: 'below', inputs: ['base'], exec },
    { name: 'copy', inputs: ['below', 'stage'], byContent: [1] },
  ]);
});

test('what a copy is laid on is made while a process runs that the copy waits for, and not before that', async () => {
  const exec = meeting(2);
  await run([
    { name: 'first', exec: async () => void expect(ran).toEqual(['first']) },
    { name: 'stage', inputs: ['first'], isProcess: true, exec },
    { name: 'copied', inputs: ['first', 'stage'], byContent: [1] },
    { name: 'other base', exec },
    { name: 'last', inputs: ['other base', 'copied'], byContent: [1] },
  ]);
  expect(ran.slice(0, 3)).toEqual(['first', 'stage', 'other base']);
});

test('what is cached does not run ahead, and a hit on top of something lost runs nothing', async () => {
  const graph = (content: string): Fake[] => [
    { name: 'base' },
    { name: `source ${content}`, inputs: ['base'], content: () => content },
    { name: 'a', inputs: [`source ${content}`], content: () => 'the same' },
    { name: 'b', inputs: ['base'] },
    { name: 'copy-a', inputs: ['base', 'a'], byContent: [1] },
    { name: 'copy-b', inputs: ['copy-a', 'b'], byContent: [1] },
  ];
  await run(graph('1'));
  ran = [];
  await run(graph('2'));
  expect(ran).toEqual(['source 2', 'a']);
  for (const [key, results] of cache.results) if (/^(b|a) /.test(results[0]!)) cache.results.delete(key);
  ran = [];
  await run(graph('2'));
  expect(ran).toEqual([]);
});

test('what another job has made while it was waited for is taken, and counts as cached', async () => {
  cache.before = (key) => void (ran.includes('a') && cache.results.set(key, ['b of another job']));
  expect(await run([{ name: 'a' }, { name: 'b', inputs: ['a'] }])).toBe('b of another job');
  expect([ran, completed(true)]).toEqual([['a'], ['b']]);
  cache.before = () => undefined;
  await run([{ name: 'a' }, { name: 'b', inputs: ['a'] }]);
  expect(ran).toEqual(['a']);
});

test('a runner whose result is there may leave at once, every other one in the end, also after a failure', async () => {
  await run([{ name: 'a' }]);
  expect(left).toEqual(['a after a']);
  left = [];
  const fail = async (): Promise<void> => {
    throw new Error('no');
  };
  await expect(
    run([{ name: 'a' }, { name: 'b', inputs: ['a'] }, { name: 'c', inputs: ['b'], exec: fail }]),
  ).rejects.toThrow('no');
  expect(left[0]).toBe('a after a');
  expect(left.toSorted()).toEqual(['a after a', 'a after a b c', 'b after a b c', 'c after a b c']);
});
