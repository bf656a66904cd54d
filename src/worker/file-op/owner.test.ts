import { expect, test } from 'vitest';
import { resolveOwner } from './owner.js';

test('a number is its own group; -1 is what a new file has', async () => {
  expect(await resolveOwner({ user: { id: 7 } }, undefined)).toEqual({ uid: 7, gid: 7 });
  expect(await resolveOwner({ user: { id: -1 >>> 0 } }, undefined)).toEqual({ uid: 0, gid: 0 });
  expect(await resolveOwner({ user: { id: 7 }, group: { id: -1 >>> 0 } }, undefined)).toEqual({ uid: 7, gid: 0 });
});
