import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificates, type Certificates } from './certificates.js';
import { writeLayout } from './layout.js';
import { mountedBlobs, putManifests, sentBlobs } from './registry-log.js';
import { TestRegistry, type RegistryOptions } from './registry.js';
import { makeTar } from './tar.js';
import { makeTempDir, removeTempDir } from './temp-dir.js';
import { TokenService } from './token-service.js';

const run = promisify(execFile);
const dir = makeTempDir('registry');
const noCredentials = path.join(dir, 'auth.json');
const layer = makeTar([{ path: 'file', content: 'x' }]);
let certificates: Certificates;

beforeAll(() => {
  writeFileSync(noCredentials, '{}');
  certificates = makeCertificates(path.join(dir, 'certificates'));
  writeLayout(path.join(dir, 'image'), { layers: [layer] });
});
afterAll(() => removeTempDir(dir));

let registries = 0;
async function start(options: RegistryOptions): Promise<TestRegistry> {
  return await TestRegistry.start(path.join(dir, `registry-${++registries}`), options);
}

/** skopeo, a client that is not ours, so that what is tested here is the registry. */
async function push(name: string, ...options: readonly string[]): Promise<void> {
  const args = ['copy', '--quiet', ...options, `oci:${path.join(dir, 'image')}`, `docker://${name}`];
  await run('skopeo', ['--insecure-policy', ...args], { env: { ...process.env, REGISTRY_AUTH_FILE: noCredentials } });
}

test('a registry takes an image, and its log counts what was sent', async () => {
  await using registry = await start({});
  await push(`${registry.host}/app:1`, '--dest-tls-verify=false');
  const first = await registry.takeRequests();
  // skopeo compresses layers that are not.
  expect(sentBlobs(first)).toHaveLength(2);
  expect(putManifests(first)).toEqual(['1']);
  expect(await registry.takeRequests()).toEqual([]);

  await registry.stop();
  await expect(push(`${registry.host}/app:2`, '--dest-tls-verify=false')).rejects.toThrow(/connection refused/);
  const { host } = registry;
  await registry.start();
  expect(registry.host).toBe(host);
  await push(`${registry.host}/app:2`, '--dest-tls-verify=false');
  const second = await registry.takeRequests();
  expect([sentBlobs(second), mountedBlobs(second), putManifests(second)]).toEqual([[], [], ['2']]);
});

test('over HTTPS with an authority of its own, and with certificates of clients', async () => {
  await using registry = await start({ tls: certificates, clientCertificates: true });
  const ca = readFileSync(certificates.ca.cert);
  const cert = readFileSync(certificates.client.cert);
  const key = readFileSync(certificates.client.key);
  const ask = (options: object): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const request = https.get(`${registry.url}/v2/`, { agent: false, ...options }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode));
      });
      request.once('error', reject);
    });
  expect(await ask({ ca, cert, key })).toBe(200);
  await expect(ask({ cert, key })).rejects.toThrow(/certificate/);
  await expect(ask({ ca })).rejects.toThrow();
  expect((await registry.takeRequests()).map(({ path: asked }) => asked)).toEqual(['/v2/']);
});

test('basic authentication', async () => {
  await using registry = await start({ users: { app: 'secret word', other: 'x' } });
  const to = `${registry.host}/app:1`;
  await expect(push(to, '--dest-tls-verify=false')).rejects.toThrow(/authentication required/);
  await expect(push(to, '--dest-tls-verify=false', '--dest-creds=app:x')).rejects.toThrow(/authentication required/);
  await push(to, '--dest-tls-verify=false', '--dest-creds=app:secret word');
  await push(to, '--dest-tls-verify=false', '--dest-creds=other:x');
});

test('token authentication: what was asked for and is allowed', async () => {
  await using tokens = await TokenService.start(path.join(dir, 'tokens'), {
    users: { app: { password: 'secret', may: (repository) => (repository === 'app' ? ['pull', 'push'] : []) } },
    anonymous: (repository) => (repository === 'app' ? ['pull'] : []),
  });
  await using registry = await start({ tokens });
  const creds = '--dest-creds=app:secret';
  await expect(push(`${registry.host}/app:1`, '--dest-tls-verify=false')).rejects.toThrow(/denied|authentication/);
  expect(tokens.requests.at(-1)).toMatchObject({ how: 'anonymous', user: '' });
  expect(tokens.requests.at(-1)!.scopes).toContain('repository:app:pull,push');
  await expect(push(`${registry.host}/app:1`, '--dest-tls-verify=false', `${creds}x`)).rejects.toThrow();
  expect(tokens.requests.at(-1)!.how).toBe('refused');
  await expect(push(`${registry.host}/other:1`, '--dest-tls-verify=false', creds)).rejects.toThrow();
  await push(`${registry.host}/app:1`, '--dest-tls-verify=false', creds);
  const read = ['inspect', '--tls-verify=false', '--raw', `docker://${registry.host}/app:1`];
  const { stdout } = await run('skopeo', read, { env: { ...process.env, REGISTRY_AUTH_FILE: noCredentials } });
  expect(JSON.parse(stdout)).toMatchObject({ schemaVersion: 2 });
  expect(tokens.requests.at(-1)!.scopes).toContain('repository:app:pull');
});

test('a token by OAuth 2: password, then refresh token; one that ended is refused by the registry', async () => {
  const all = (): readonly string[] => ['pull', 'push'];
  await using tokens = await TokenService.start(path.join(dir, 'oauth'), {
    users: { app: { password: 'secret', may: all } },
  });
  await using registry = await start({ tokens });
  const post = async (form: Record<string, string>): Promise<Record<string, string>> => {
    const body = new URLSearchParams({ service: TokenService.service, client_id: 'test', ...form });
    const response = await fetch(tokens.realm, { method: 'POST', body });
    return { status: String(response.status), ...((await response.json()) as Record<string, string>) };
  };
  const ask = async (token: string | undefined): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${registry.url}/v2/app/tags/list`, { headers })).status;
  };
  const scope = 'repository:app:pull';
  expect(await post({ grant_type: 'password', username: 'app', password: 'x', scope })).toMatchObject({
    status: '401',
  });
  const login = { grant_type: 'password', username: 'app', password: 'secret', access_type: 'offline' };
  const first = await post(login);
  expect(await ask(first['access_token'])).toBe(401); // good, but for nothing
  const second = await post({ grant_type: 'refresh_token', refresh_token: first['refresh_token']!, scope });
  expect(await ask(second['access_token'])).toBe(404); // allowed; nothing is there
  tokens.lifetimeSeconds = -120;
  const third = await post({ grant_type: 'refresh_token', refresh_token: first['refresh_token']!, scope });
  expect(await ask(third['access_token'])).toBe(401);
  expect(tokens.requests.map(({ how }) => how)).toEqual(['refused', 'password', 'refresh_token', 'refresh_token']);
});
