import { expect, test } from 'vitest';
import { OutputCredit, OutputReceipts } from './output-credit.js';

const CHUNK = 64 * 1024;

test('a sender waits for a listener that takes nothing, and goes on when it does', async () => {
  const credit = new OutputCredit();
  let sent = 0;
  let wait: Promise<void> | undefined;
  for (; !wait; sent += CHUNK) wait = credit.sent(CHUNK);
  expect(sent).toBe(4 * 1024 * 1024 + CHUNK);
  let going = false;
  void wait.then(() => (going = true));
  const other = credit.sent(CHUNK);
  credit.taken(CHUNK);
  await Promise.resolve();
  expect(going).toBe(false);
  credit.taken(sent);
  await Promise.all([wait, other]);
  expect(going).toBe(true);
  expect(credit.sent(CHUNK)).toBeUndefined();
});

test('receipts are few, and never so late that a sender waits for what was taken', async () => {
  const credit = new OutputCredit();
  let told = 0;
  const receipts = new OutputReceipts((bytes) => {
    told++;
    credit.taken(bytes);
  });
  for (let sent = 0; sent < 100 * 1024 * 1024; sent += CHUNK) {
    expect(credit.sent(CHUNK)).toBeUndefined();
    receipts.taken(CHUNK);
  }
  expect(told).toBeLessThan(500);
});
