import { expect, test } from 'vitest';
import { formatAgo } from './format.js';

test.for<readonly [ms: number, text: string]>([
  [-86_400_000, 'just now'],
  [999, 'just now'],
  [1000, '1 second ago'],
  [59_999, '59 seconds ago'],
  [3_600_000, '1 hour ago'],
  [47 * 3_600_000, '1 day ago'],
  [14 * 86_400_000, '2 weeks ago'],
  [800 * 86_400_000, '2 years ago'],
])('%d ms are %s', ([ms, text]) => {
  expect(formatAgo(ms)).toBe(text);
});
