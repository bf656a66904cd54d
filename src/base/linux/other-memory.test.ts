import { expect, test } from 'vitest';
import { OtherMemory } from './other-memory.js';

test.skipIf(process.platform !== 'linux')('there is nothing at addresses that no process has', () => {
  using memory = OtherMemory.open(process.pid);
  for (const address of [0n, 2n ** 56n, 2n ** 63n - 1n, 2n ** 64n - 1n]) {
    expect(() => memory.read(address, 48), `${address}`).toThrow('EIO');
    expect(() => memory.write(address, Buffer.from('x')), `${address}`).toThrow('EIO');
  }
});
