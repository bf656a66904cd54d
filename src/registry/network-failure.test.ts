import { expect, test } from 'vitest';
import { isNotTls, noAnswer } from './network-failure.js';

const failed = (code: string, message = code): Error => Object.assign(new Error(message), { code });

function explained(
  error: Error,
  address = 'https://a.test/v2/?sig=SECRET',
  proxy?: string,
): readonly [string, string | undefined] {
  const { message, hint } = noAnswer(error, { doing: 'asking', url: new URL(address), proxy, secrets: ['hunter2'] });
  expect(message + hint).not.toMatch(/SECRET|hunter2/);
  expect(message).toMatch(/^asking: `a\.test`/);
  return [message.replace(/^asking: `a\.test`(?: through the proxy `p:1`)?: /, ''), hint];
}

test('what the network says is put into words, with what to do', () => {
  for (const code of ['ENOTFOUND', 'EAI_AGAIN']) {
    expect(explained(failed(code))).toEqual(['no such host', 'check the name and the DNS of this machine']);
    expect(explained(failed(code), undefined, 'p:1')[1]).toBe('check HTTP_PROXY, HTTPS_PROXY and NO_PROXY');
  }
  for (const code of ['ENETUNREACH', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']) {
    expect(explained(failed(code))).toEqual(['cannot be reached', expect.stringContaining('HTTPS_PROXY')]);
  }
  expect(explained(failed('CERT_HAS_EXPIRED'))).toEqual([
    'its certificate is not valid now',
    expect.stringContaining('clock'),
  ]);
  expect(explained(failed('ERR_TLS_CERT_ALTNAME_INVALID'))[0]).toBe('its certificate is for another name');
  expect(explained(failed('SELF_SIGNED_CERT_IN_CHAIN'))[0]).toBe('its certificate is signed by an unknown authority');
  expect(explained(failed('ECONNRESET'), 'http://a.test/')).toEqual(['the connection was cut', undefined]);
  expect(explained(failed('EWEIRD', 'odd: hunter2 at https://b.test/?q=SECRET'))).toEqual([
    'odd: xxxxx at https://b.test/?…',
    undefined,
  ]);
});

test('which failures may pass', () => {
  const transient = (code: string): boolean =>
    noAnswer(failed(code), { doing: 'x', url: new URL('https://a.test'), proxy: undefined, secrets: [] }).isTransient;
  for (const code of ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT', 'EAI_AGAIN', 'ETIMEDOUT']) {
    expect([code, transient(code)]).toEqual([code, true]);
  }
  for (const code of ['ENOTFOUND', 'ECONNREFUSED', 'CERT_HAS_EXPIRED', 'EWEIRD'])
    expect([code, transient(code)]).toEqual([code, false]);
});

test('servers that do not speak TLS are told from those whose certificate is bad', () => {
  expect(isNotTls(failed('ERR_SSL_WRONG_VERSION_NUMBER'))).toBe(true);
  expect(isNotTls(failed('EPROTO', '00A0:error:0A00010B:SSL routines:ssl3_get_record:wrong version number'))).toBe(
    true,
  );
  expect(
    isNotTls(failed('ECONNRESET', 'Client network socket disconnected before secure TLS connection was established')),
  ).toBe(true);
  for (const code of ['ECONNRESET', 'EPROTO', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT'])
    expect(isNotTls(failed(code))).toBe(false);
});
