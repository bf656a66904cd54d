import { expect, test } from 'vitest';
import type { CacheUnit } from '../store/gc/units.js';
import { parseCacheFilters } from './prune-filters.js';

const STEP: CacheUnit = {
  id: 'r0123456789',
  type: 'regular',
  parents: ['rbase', 'rother'],
  description: '[build 2/3] RUN make',
  size: 1,
  createdAt: 0,
  lastUsedAt: 0,
  inUse: false,
  shared: true,
  mutable: false,
};

test.for<readonly [filters: readonly string[], isMet: boolean]>([
  [['id=r01234'], true],
  [['id=r02'], false],
  [['id='], false],
  [['id!=r01'], false],
  [['id~=89$'], true],
  [['parents=rother'], true],
  [['parents!=rother'], false],
  [['description~=RUN (make|cmake)'], true],
  [['description=[build 2/3] RUN make'], true],
  [['shared'], true],
  [['private'], false],
  [['inuse=false'], true],
  [['immutable=true', 'type==regular'], true],
  [['immutable=true', 'type=exec.cachemount'], false],
  [['type!=internal'], true],
])('%j is met: %s', ([filters, isMet]) => {
  expect(parseCacheFilters(filters).matches!(STEP)).toBe(isMet);
});

test('`until` is a duration, and chooses nothing', () => {
  expect(parseCacheFilters(['until=1h30m'])).toEqual({ until: 5_400_000 });
  expect(parseCacheFilters([])).toEqual({});
});

test.for(['until=', 'until=1', 'until~=1h', 'size=1', '=1', 'type', 'type=tree', 'id~=(', 'ID=1'])(
  '%s is refused',
  (filter) => {
    expect(() => parseCacheFilters([filter])).toThrow(`invalid filter \`${filter}\``);
  },
);

test('`until` twice is refused', () => {
  expect(() => parseCacheFilters(['until=1h', 'until=2h'])).toThrow('invalid filter');
});
