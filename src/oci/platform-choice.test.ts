import { expect, test } from 'vitest';
import { formatPlatform, parsePlatform } from './platform.js';
import { choosePlatform, compatiblePlatforms } from './platform-choice.js';

test.each([
  ['linux/amd64', 'linux/amd64 linux/386'],
  ['linux/amd64/v3', 'linux/amd64/v3 linux/amd64/v2 linux/amd64/v1 linux/386'],
  ['linux/arm', 'linux/arm/v7 linux/arm/v6 linux/arm/v5'],
  ['linux/arm/v6', 'linux/arm/v6 linux/arm/v5'],
  ['linux/arm64', 'linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5'],
  ['linux/s390x', 'linux/s390x'],
])('%s runs %s', (want, all) => {
  expect(compatiblePlatforms(parsePlatform(want)).map(formatPlatform).join(' ')).toBe(all);
});

test('the same platform is taken before what also runs, whatever the order; attestations never', () => {
  const of = (text: string) => ({ platform: parsePlatform(text) });
  const unknown = { platform: { os: 'unknown', architecture: 'unknown' } };
  const all = [unknown, of('linux/arm/v6'), of('linux/arm/v7'), of('linux/arm64/v8')];
  expect(choosePlatform(all, parsePlatform('linux/arm64'))).toBe(all[3]);
  expect(choosePlatform(all, parsePlatform('linux/arm'))).toBe(all[2]);
  expect(choosePlatform(all.slice(0, 3), parsePlatform('linux/arm64'))).toBe(all[2]);
  expect(choosePlatform(all, parsePlatform('linux/amd64'))).toBeUndefined();
});
