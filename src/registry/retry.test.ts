import { expect, test } from 'vitest';
import { defaultTiming, pause, retryAfterMs, retryDelay } from './retry.js';

test('delays double up to a bound, with jitter, and end', () => {
  const timing = { ...defaultTiming, tries: 9, delayMs: 100, maxDelayMs: 1000 };
  for (const [attempt, most] of [
    [1, 100],
    [2, 200],
    [3, 400],
    [4, 800],
    [5, 1000],
    [8, 1000],
  ] as const) {
    const delays = Array.from({ length: 50 }, () => retryDelay(attempt, undefined, timing)!);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(most / 2);
    expect(Math.max(...delays)).toBeLessThanOrEqual(most);
    expect(new Set(delays).size).toBeGreaterThan(1);
  }
  expect(retryDelay(9, undefined, timing)).toBeUndefined();
});

test('what a registry asks for counts more, unless it is unbearable', () => {
  const timing = { ...defaultTiming, delayMs: 1, maxRetryAfterMs: 60_000 };
  expect(retryDelay(1, '30', timing)).toBe(30_000);
  expect(retryDelay(1, '61', timing)).toBeUndefined();
  expect(retryDelay(1, '9'.repeat(400), timing)).toBeUndefined();
  expect(retryDelay(1, '0', timing)).toBeLessThanOrEqual(1);
});

test('seconds, dates, and what is neither', () => {
  const now = Date.UTC(1994, 10, 6, 8, 49, 0);
  expect(retryAfterMs('7', now)).toBe(7000);
  expect(retryAfterMs('Sun, 06 Nov 1994 08:49:37 GMT', now)).toBe(37_000);
  expect(retryAfterMs('Sun, 06 Nov 1994 08:48:00 GMT', now)).toBe(0);
  for (const one of [undefined, '', '-5', '1.5', 'soon', 'Mon, nonsense']) expect(retryAfterMs(one, now)).toBe(0);
});

test('a pause ends with the reason of an abort', async () => {
  const stop = new AbortController();
  const waiting = pause(600_000, { signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(pause(1, { signal: stop.signal })).rejects.toThrow('enough');
});
