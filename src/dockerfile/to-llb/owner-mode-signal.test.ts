import { expect, test } from 'vitest';
import { chmodOf } from './chmod.js';
import { ownerOf } from './owner.js';
import { requireSignal } from './signal.js';

test('an owner is a number where it can be one', () => {
  expect(ownerOf('app')).toEqual({ user: { name: 'app' } });
  expect(ownerOf('root:0')).toEqual({ user: { id: 0 }, group: { id: 0 } });
  expect(ownerOf('5:wheel')).toEqual({ user: { id: 5 }, group: { name: 'wheel' } });
  expect(ownerOf('99999999999')).toEqual({ user: { name: '99999999999' } });
});

test('a mode is octal or symbolic', () => {
  expect(chmodOf('')).toEqual({ mode: -1 });
  expect(chmodOf('0755')).toEqual({ mode: 0o755 });
  expect(chmodOf('u=rwX,go=rX')).toEqual({ mode: 0, modeStr: 'u=rwX,go=rX' });
  expect(() => chmodOf('888')).toThrow('invalid chmod parameter');
  expect(() => chmodOf('10000')).toThrow('between 0 and 07777');
  expect(() => chmodOf('u=r,')).toThrow('invalid syntax');
});

test('a signal is a number or a Linux name', () => {
  for (const signal of ['9', 'SIGTERM', 'term', 'RTMIN+3', 'SIGRTMAX-14'])
    expect(() => requireSignal(signal)).not.toThrow();
  for (const signal of ['0', 'FOO', '', 'RTMIN+16', 'RTMIN+0']) {
    expect(() => requireSignal(signal)).toThrow(`invalid signal: ${signal}`);
  }
});
