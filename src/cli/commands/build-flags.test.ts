import { expect, test } from 'vitest';
import { parseAgents, parseHosts, parseSecrets, parseShmSize, parseUlimits } from './build-flags.js';

test.each([
  ['id=a,src=f', { kind: 'file', path: 'f' }],
  ['id=a,source=f,type=file', { kind: 'file', path: 'f' }],
  ['id=a,env=X', { kind: 'env', name: 'X' }],
  ['type=env,id=a,src=X', { kind: 'env', name: 'X' }],
  ['type=env,id=a', { kind: 'env', name: 'a' }],
  ['id=a', { kind: 'file', path: 'a' }],
])('--secret %s', (text, secret) => {
  expect(parseSecrets([text], {})).toEqual({ a: secret });
});

test('a secret without a source is a variable of its name, where there is one', () => {
  expect(parseSecrets(['id=TOKEN'], { TOKEN: 'x' })).toEqual({ TOKEN: { kind: 'env', name: 'TOKEN' } });
});

test.each(['src=f', 'id=a,x=y', 'id=a,type=z', 'a'])('--secret %s is refused', (text) => {
  expect(() => parseSecrets([text], {})).toThrow('invalid `--secret');
});

test('hosts are named with a colon or an equals sign', () => {
  expect(parseHosts(['a:1.2.3.4', 'b=::1', 'c:::1', 'd=[::2]'])).toEqual([
    { host: 'a', ip: '1.2.3.4' },
    { host: 'b', ip: '::1' },
    { host: 'c', ip: '::1' },
    { host: 'd', ip: '::2' },
  ]);
  expect(() => parseHosts(['a:b'])).toThrow('invalid `--add-host a:b`');
});

test('limits and sizes', () => {
  expect(parseUlimits(['nofile=10:20', 'core=-1'])).toEqual([
    { name: 'nofile', soft: 10, hard: 20 },
    { name: 'core', soft: -1, hard: -1 },
  ]);
  expect(() => parseUlimits(['nofile'])).toThrow('invalid');
  expect([parseShmSize('64m'), parseShmSize('1.5GiB'), parseShmSize('9')]).toEqual([2 ** 26, 1.5 * 2 ** 30, 9]);
  expect(() => parseShmSize('much')).toThrow('invalid');
});

test('an agent needs a socket', () => {
  expect(() => parseAgents(['default'], {})).toThrow('invalid `--ssh default`');
  expect(() => parseAgents(['k=/etc/passwd'], {})).toThrow('invalid `--ssh');
});
