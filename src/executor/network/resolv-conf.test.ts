import { expect, test } from 'vitest';
import { resolvConfInside } from './resolv-conf.js';

const reach = { forwarder: '10.0.2.3', ipv6: true };

test('name servers that are reached stay, with everything else', () => {
  const text =
    '# made by hand\nnameserver 192.0.2.53\nsearch a.test b.test\noptions ndots:2\nnameserver 2001:db8::53\n';
  expect(resolvConfInside(text, reach)).toEqual({
    text: 'nameserver 192.0.2.53\nnameserver 2001:db8::53\n# made by hand\nsearch a.test b.test\noptions ndots:2\n',
    forwards: false,
  });
  expect(resolvConfInside(text, { ...reach, ipv6: false })?.text).not.toContain('2001:');
});

test('the forwarder takes the place of all when the first is on the loopback', () => {
  const text = 'nameserver 127.0.0.53\nnameserver 192.0.2.53\noptions edns0 trust-ad\n';
  expect(resolvConfInside(text, reach)).toEqual({
    text: 'nameserver 10.0.2.3\noptions edns0 trust-ad\n',
    forwards: true,
  });
  const scoped = 'nameserver fe80::1%eth0\nnameserver 192.0.2.53';
  expect(resolvConfInside(scoped, reach)).toEqual({ text: 'nameserver 10.0.2.3\n', forwards: true });
});

test('one on the loopback that is not the first goes', () => {
  expect(resolvConfInside('nameserver 192.0.2.53\nnameserver 127.0.0.1', reach)).toEqual({
    text: 'nameserver 192.0.2.53\n',
    forwards: false,
  });
});

test('the forwarder does not speak IPv6: others are taken, or nothing can be done', () => {
  expect(resolvConfInside('nameserver ::1\nnameserver 2001:db8::53', reach)?.text).toBe('nameserver 2001:db8::53\n');
  expect(resolvConfInside('nameserver ::1\n', reach)).toBeUndefined();
  expect(resolvConfInside('nameserver 2001:db8::53\n', { ...reach, ipv6: false })).toBeUndefined();
});

test('without name servers it stays as it is', () => {
  expect(resolvConfInside('', reach)).toEqual({ text: '', forwards: false });
  expect(resolvConfInside('search a.test\n', reach)?.text).toBe('search a.test\n');
});
