import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { relayOutput } from './relay-output.js';

function relayed() {
  const stream = new PassThrough({ highWaterMark: 1 });
  const stop = new AbortController();
  const got: string[] = [];
  const waiting: (() => void)[] = [];
  const listener = (name: string, chunk: Buffer): Promise<void> => {
    got.push(`${name} ${chunk.toString()}`);
    return new Promise((resolve) => waiting.push(resolve));
  };
  relayOutput('stdout', stream, listener, stop.signal);
  return { stream, stop, got, waiting };
}

test('nothing more is read until the listener has taken what it was given', async () => {
  const { stream, got, waiting } = relayed();
  for (const text of ['a', 'b', 'c']) stream.write(text);
  stream.end();
  await turn();
  expect(got).toEqual(['stdout a']);
  waiting.shift()!();
  await turn();
  await turn();
  expect(got).toEqual(['stdout a', 'stdout b']);
});

test('after an abort the stream comes to its end, and the listener gets nothing more', async () => {
  const { stream, stop, got } = relayed();
  const closed = new Promise((resolve) => stream.once('close', resolve));
  for (const text of ['a', 'b', 'c']) stream.write(text);
  stream.end();
  await turn();
  stop.abort();
  await closed;
  expect(got).toEqual(['stdout a']);
});

test('a listener that is done at once is not waited for', async () => {
  const stream = new PassThrough();
  const got: string[] = [];
  relayOutput('stderr', stream, (_, chunk) => void got.push(chunk.toString()), new AbortController().signal);
  stream.write('a');
  await turn();
  stream.write('b');
  await turn();
  expect(got).toEqual(['a', 'b']);
});
