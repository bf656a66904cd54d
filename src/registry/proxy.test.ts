import { expect, test } from 'vitest';
import { proxyFor } from './proxy.js';

const proxy = (url: string, env: NodeJS.ProcessEnv): string | undefined => proxyFor(new URL(url), env)?.href;
const exempt = (url: string, list: string): boolean =>
  proxy(url, { https_proxy: 'http://proxy:1', http_proxy: 'http://proxy:1', NO_PROXY: list }) === undefined;

test('each scheme has its variable, in capitals or not', () => {
  expect(proxy('https://a.test', { HTTPS_PROXY: 'http://user:pass@proxy:3128' })).toBe('http://user:pass@proxy:3128/');
  expect(proxy('https://a.test', { https_proxy: 'proxy:3128', HTTPS_PROXY: 'http://other' })).toBe(
    'http://proxy:3128/',
  );
  expect(proxy('http://a.test', { HTTPS_PROXY: 'http://proxy' })).toBeUndefined();
  expect(proxy('http://a.test', { HTTP_PROXY: 'https://proxy' })).toBe('https://proxy/');
  expect(proxy('https://a.test', { HTTPS_PROXY: '' })).toBeUndefined();
  expect(proxy('https://a.test', {})).toBeUndefined();
});

test('this machine is never asked through a proxy', () => {
  for (const host of ['localhost:5000', '127.0.0.1:5000', '127.1.2.3', '[::1]:5000']) {
    expect(proxy(`http://${host}`, { HTTP_PROXY: 'http://proxy' })).toBeUndefined();
  }
});

test('what NO_PROXY covers', () => {
  for (const list of ['a.test', 'x, a.test', '.test', '*.test', 'A.TEST', 'test', '*', 'a.test:443', 'x a.test']) {
    expect([list, exempt('https://a.test', list)]).toEqual([list, true]);
  }
  for (const list of ['', 'b.test', '.a.test', 'est', 'a.test:80', 'a.test.x', '10.0.0.0/8', '/', ',']) {
    expect([list, exempt('https://a.test', list)]).toEqual([list, false]);
  }
  for (const list of ['10.0.0.0/8', '10.1.2.3', '10.1.2.3:80', '*']) expect(exempt('http://10.1.2.3', list)).toBe(true);
  for (const list of ['10.0.0.0/16', '10.0.0.0/99', 'fd00::/8', '10.1.2.3:81'])
    expect(exempt('http://10.1.2.3', list)).toBe(false);
  expect(exempt('https://[fd00::1]', 'fd00::/8')).toBe(true);
  expect(exempt('https://[fd00::1]', 'fd00::1')).toBe(true);
  expect(exempt('https://[fd00::1]:8443', '[fd00::1]:8443')).toBe(true);
  expect(exempt('https://[fe00::1]', 'fd00::/8')).toBe(false);
});

test('what is no proxy is refused, without quoting it', () => {
  for (const value of ['http://', 'ftp://user:secret@x', 'user:secret@[']) {
    expect(() => proxy('https://a.test', { HTTPS_PROXY: value })).toThrow('`HTTPS_PROXY` is not the URL of a proxy');
  }
});
