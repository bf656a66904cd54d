import { expect, test } from 'vitest';
import { hasOnlyIpv6 } from './connector.js';
import { chooseSubnet } from './subnet.js';

test('the usual network, unless the machine is in it', () => {
  expect(chooseSubnet(['192.0.2.2', '::1', '127.0.0.1']).address).toBe('10.0.2.100');
  const other = chooseSubnet(['10.0.2.15', '10.0.2.3']);
  expect(other.network).not.toBe('10.0.2.0');
  const start = other.network.replace(/0$/, '');
  expect(other).toMatchObject({ address: `${start}100`, gateway: `${start}2`, nameServer: `${start}3` });
});

test('a machine with IPv6 alone', () => {
  const at = (address: string, internal = false): never =>
    ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as never;
  expect(hasOnlyIpv6({ lo: [at('127.0.0.1', true)], eth0: [at('2001:db8::2'), at('fe80::1')] })).toBe(true);
  expect(hasOnlyIpv6({ eth0: [at('2001:db8::2'), at('192.0.2.2')] })).toBe(false);
  expect(hasOnlyIpv6({ eth0: [at('fe80::1')] })).toBe(false);
});
