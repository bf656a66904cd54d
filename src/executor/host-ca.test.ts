import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { hostCa, withHostCa } from './host-ca.js';
import { hostsFile } from './network/hosts-file.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-ca-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('the bundle of the environment is copied and announced', () => {
  writeFileSync(path.join(dir, 'mine.pem'), 'PEM');
  const ca = hostCa({ SSL_CERT_FILE: path.join(dir, 'mine.pem') }, dir);
  expect(readFileSync(path.join(dir, 'host-ca.crt'), 'utf8')).toBe('PEM');
  expect(ca?.mounts).toEqual([
    { type: 'bind', source: `${dir}/host-ca.crt`, target: '/run/slipway/host-ca.crt', readonly: true },
    { type: 'bind', source: `${dir}/apt.conf`, target: '/run/slipway/apt.conf', readonly: true },
  ]);
  expect(readFileSync(path.join(dir, 'apt.conf'), 'utf8')).toContain('"/run/slipway/host-ca.crt"');
  expect(ca?.env).toMatchObject({ CURL_CA_BUNDLE: '/run/slipway/host-ca.crt', APT_CONFIG: '/run/slipway/apt.conf' });
});

test('what the image sets itself stays', () => {
  const ca = { mounts: [], env: { A: '1', B: '2' } };
  expect(withHostCa(['B=own', 'C='], ca)).toEqual(['B=own', 'C=', 'A=1']);
});

test('hosts', () => {
  const text = hostsFile('me', [{ host: 'db', ip: '10.0.0.2' }]);
  expect(text).toMatch(/^127\.0\.0\.1\tlocalhost me\n/);
  expect(text).toMatch(/\n10\.0\.0\.2\tdb\n$/);
});
