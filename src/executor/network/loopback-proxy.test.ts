import { expect, test } from 'vitest';
import { loopbackProxy } from './loopback-proxy.js';

test.each([
  ['http://localhost:3128', 'localhost:3128'],
  ['http://user:secret@127.0.0.1:3128/', '127.0.0.1:3128'],
  ['127.9.9.9:8080', '127.9.9.9:8080'],
  ['socks5://[::1]:1080', '[::1]:1080'],
  ['https://proxy.LOCALHOST', 'proxy.localhost'],
])('%s is on the loopback', (value, found) => {
  expect(loopbackProxy({ https_proxy: value })).toBe(found);
});

test('others are not, nor what is no proxy', () => {
  const env = { HTTP_PROXY: 'http://proxy.test:3128', https_proxy: '', no_proxy: 'localhost', FTP_PROXY: '::' };
  expect(loopbackProxy(env)).toBeUndefined();
});
