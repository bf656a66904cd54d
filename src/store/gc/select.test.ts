import { expect, test } from 'vitest';
import { selectUnits, type PruneSpec } from './select.js';
import type { CacheUnit } from './units.js';

function unit(id: string, lastUsedAt: number, more: Partial<CacheUnit> = {}): CacheUnit {
  const plain = { type: 'regular', parents: [], description: '', createdAt: 0, inUse: false, shared: false } as const;
  return { id, lastUsedAt, size: 10, mutable: false, ...plain, ...more };
}

function select(units: readonly CacheUnit[], spec: Partial<PruneSpec>, free = 1000): readonly string[] {
  return [...selectUnits(units, { all: true, ...spec }, free)].map(({ id }) => id);
}

const stack = [unit('base', 3), unit('low', 3, { parents: ['base'] }), unit('high', 3, { parents: ['low'] })];

test('without a bound all goes, what stands on something before that', () => {
  expect(select(stack, {})).toEqual(['high', 'low', 'base']);
});

test('what is in use or shared with an image stays, and all that it stands on', () => {
  const [base, low, high] = stack as [CacheUnit, CacheUnit, CacheUnit];
  expect(select([base, { ...low, inUse: true }, high], {})).toEqual(['high']);
  expect(select([{ ...base, shared: true }, low, high], { all: false })).toEqual(['high', 'low']);
  expect(select([base, low, { ...high, shared: true }], { all: false })).toEqual([]);
});

test('the least recently used goes first, until enough is gone', () => {
  const units = [unit('old', 1), unit('new', 5), unit('middle', 3)];
  expect(select(units, { maxUsedSpace: 20 })).toEqual(['old']);
  expect(select(units, { maxUsedSpace: 19 })).toEqual(['old', 'middle']);
  expect(select(units, { maxUsedSpace: 30 })).toEqual([]);
  expect(select(units, { reservedSpace: 10 })).toEqual(['old', 'middle']);
  expect(select(units, { maxUsedSpace: 1, reservedSpace: 25 })).toEqual(['old']);
});

test('space is freed for what must be free, and not more', () => {
  const units = [unit('old', 1), unit('new', 5)];
  expect(select(units, { minFreeSpace: 1000 })).toEqual([]);
  expect(select(units, { minFreeSpace: 1005 })).toEqual(['old']);
  expect(select(units, { minFreeSpace: 9000, reservedSpace: 10 })).toEqual(['old']);
});

test('filters and age keep what does not match, and what that stands on', () => {
  const units = [unit('base', 0), unit('old', 1, { parents: ['base'] }), unit('young', 7, { parents: ['base'] })];
  expect(select(units, { unusedSince: 7 })).toEqual(['old']);
  expect(select(units, { matches: ({ id }) => id !== 'young' })).toEqual(['old']);
  expect(select([unit('a', 1, { parents: ['a'] })], {})).toEqual([]); // only damage can make such a one: left to fsck
});
