import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.js';

test.each([
  ['0', 0],
  ['1m30s', 90e9],
  ['1.5h', 5400e9],
  ['100ms', 1e8],
  ['1us', 1e3],
  ['-2s', -2e9],
])('%s is read', (text, nanoseconds) => {
  expect(parseDuration(text)).toBe(nanoseconds);
});

test.each([
  ['1', 'time: missing unit in duration "1"'],
  ['', 'time: invalid duration ""'],
  ['abc', 'time: invalid duration "abc"'],
  ['1x', 'time: unknown unit "x" in duration "1x"'],
])('%s is refused', (text, message) => {
  expect(() => parseDuration(text)).toThrow(message);
});

test.each([
  [0, '0s'],
  [5e9, '5s'],
  [90e9, '1m30s'],
  [3600e9, '1h0m0s'],
  [1.5e9, '1.5s'],
  [3e8, '300ms'],
  [1500, '1.5µs'],
])('%d is shown as %s', (nanoseconds, text) => {
  expect(formatDuration(nanoseconds)).toBe(text);
});
