import { expect, test } from 'vitest';
import { Feed } from './feed.js';

const chunk = (text: string): Buffer => Buffer.from(text);

test('all that is pushed comes in order, also what was pushed before anybody read', async () => {
  const feed = new Feed(4);
  feed.push(chunk('ab'));
  const read = (async () => {
    const parts: string[] = [];
    for await (const part of feed) parts.push(part.toString());
    return parts;
  })();
  await Promise.resolve();
  for (const text of ['cd', 'ef', 'gh']) {
    feed.push(chunk(text));
    await feed.room();
  }
  feed.end();
  expect(await read).toEqual(['ab', 'cd', 'ef', 'gh']);
});

test('there is no room until enough was taken', async () => {
  const feed = new Feed(3);
  feed.push(chunk('ab'));
  expect(feed.room()).toBeUndefined();
  feed.push(chunk('cd'));
  let hasRoom = false;
  const waiting = feed.room()!.then(() => (hasRoom = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasRoom).toBe(false);
  const reader = feed[Symbol.asyncIterator]();
  expect((await reader.next()).value?.toString()).toBe('ab');
  await waiting;
  expect(feed.room()).toBeUndefined();
});

test('who pushes to a reader that has left waits for nothing', async () => {
  const feed = new Feed(1);
  feed.push(chunk('ab'));
  const waiting = feed.room();
  for await (const part of feed) if (part.length > 0) break;
  await waiting;
  feed.push(chunk('cd'));
  expect(feed.room()).toBeUndefined();
});
