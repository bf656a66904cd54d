import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { OnceMap } from './once-map.js';

const never = new AbortController().signal;

/** Work that a test ends when it wants. */
class FakeWork {
  readonly started: AbortSignal[] = [];
  readonly ends: ((value: string) => void)[] = [];
  readonly run = (signal: AbortSignal): Promise<string> => {
    this.started.push(signal);
    return new Promise((resolve) => this.ends.push(resolve));
  };
}

test('callers of one key share a run; it is forgotten when it ends', async () => {
  const map = new OnceMap<string, string>();
  const work = new FakeWork();
  const both = [map.run('k', never, work.run), map.run('k', never, work.run)];
  const other = map.run('other', never, work.run);
  expect(work.started).toHaveLength(2);
  work.ends[0]!('one');
  work.ends[1]!('two');
  expect(await Promise.all([...both, other])).toEqual(['one', 'one', 'two']);
  void map.run('k', never, work.run);
  expect(work.started).toHaveLength(3);
  await expect(map.run('failing', never, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
});

test('a waiter leaves at once, the last one when the work has stopped', async () => {
  const map = new OnceMap<string, string>();
  const work = new FakeWork();
  const [one, two] = [new AbortController(), new AbortController()];
  const first = map.run('k', one.signal, work.run);
  const last = map.run('k', two.signal, work.run);
  one.abort(new Error('one left'));
  await expect(first).rejects.toThrow('one left');
  expect(work.started[0]!.aborted).toBe(false);
  two.abort(new Error('two left'));
  expect(work.started[0]!.aborted).toBe(true);
  let left = false;
  void last.catch(() => (left = true));
  await turn();
  expect(left).toBe(false);
  work.ends[0]!('too late');
  await expect(last).rejects.toThrow('two left');
});

test('who comes after the abort gets a run of its own', async () => {
  const map = new OnceMap<string, string>();
  const work = new FakeWork();
  const stop = new AbortController();
  const left = map.run('k', stop.signal, work.run);
  stop.abort(new Error('left'));
  const joined = map.run('k', never, work.run);
  expect(work.started).toHaveLength(2);
  work.ends[0]!('aborted');
  await expect(left).rejects.toThrow('left');
  const another = map.run('k', never, work.run);
  expect(work.started).toHaveLength(2);
  work.ends[1]!('new');
  expect(await Promise.all([joined, another])).toEqual(['new', 'new']);
});
