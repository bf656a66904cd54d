import { expect, test } from 'vitest';
import { ownCapabilities } from './capabilities.js';

test('a mask is read by number', () => {
  expect(ownCapabilities('Name:\tnode\nCapEff:\t0000000000000000\n')).toEqual([]);
  expect(ownCapabilities('CapPrm:\tff\nCapEff:\t0000000000200001\n')).toEqual(['CAP_CHOWN', 'CAP_SYS_ADMIN']);
  const all = ownCapabilities('CapEff:\t000001ffffffffff\n');
  expect([all.length, all.at(-1)]).toEqual([41, 'CAP_CHECKPOINT_RESTORE']);
});
