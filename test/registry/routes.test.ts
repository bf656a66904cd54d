import https from 'node:https';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, afterAll, expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/registry/config.js';
import type { Credentials } from '../../src/registry/credentials.js';
import { ScriptedServer, type Script } from '../../src/registry/scripted-server.fixture.js';
import { Transports } from '../../src/registry/transports.js';
import { makeCertificates, type Certificates } from '../support/certificates.js';
import { TestProxy } from '../support/registry-proxy.js';
import { hostTable } from '../support/registry-workspace.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';

let dir: string;
let certificates: Certificates;

beforeAll(() => {
  dir = makeTempDir('routes');
  certificates = makeCertificates(path.join(dir, 'certificates'));
});
afterAll(() => removeTempDir(dir));

async function serve(script: Script, options?: https.ServerOptions): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(script, options);
  onTestFinished(() => server[Symbol.dispose]());
  return server;
}

async function serveTls(script: Script, options: https.ServerOptions = {}): Promise<ScriptedServer> {
  const { cert, key } = certificates.server;
  return await serve(script, { cert: readFileSync(cert), key: readFileSync(key), ...options });
}

async function proxyTo(server: ScriptedServer): Promise<TestProxy> {
  const proxy = await TestProxy.start(Number(server.host.split(':')[1]));
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

interface Asked {
  readonly config?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly credentials?: Credentials;
  readonly insecure?: boolean;
}

/** The body that comes, or the error. */
async function ask(
  host: string,
  { config = '', env = {}, credentials, insecure = false }: Asked = {},
): Promise<unknown> {
  const file = path.join(dir, 'config.toml');
  writeFileSync(file, config);
  const transports = new Transports({
    config: await loadConfig({ SLIPWAY_CONFIG: file }),
    credentials: { find: async () => credentials },
    env,
    userAgent: 'test',
    timing: { tries: 1 },
  });
  try {
    const request = { method: 'GET', path: '', scopes: [], expect: [200], doing: 'asking' } as const;
    const answer = await transports.get(host, { insecure }).send({ ...request, signal: new AbortController().signal });
    return (await answer.bytes(1000)).toString();
  } catch (error) {
    return error;
  } finally {
    await transports.close();
  }
}

const hello: Script = () => ({ body: 'hello' });

test('a CA that the machine does not know: by the settings, and by the variables that programs have for it', async () => {
  const { host } = await serveTls(hello);
  const ca = certificates.ca.cert;
  expect(await ask(host)).toMatchObject({
    code: 'REGISTRY_FAILED',
    message: `asking: \`${host}\`: its certificate is signed by an unknown authority`,
    hint: expect.stringContaining(`\`ca = ["…"]\` for [registry."${host}"]`),
  });
  expect(await ask(host, { config: hostTable(host, { ca: [ca] }) })).toBe('hello');
  expect(await ask(host, { config: hostTable(host, { ca: [path.relative(dir, ca)] }) })).toBe('hello');
  expect(await ask(host, { env: { NODE_EXTRA_CA_CERTS: ca } })).toBe('hello');
  expect(await ask(host, { env: { SSL_CERT_FILE: ca } })).toBe('hello');
  expect(await ask(host, { env: { SSL_CERT_DIR: `/nowhere:${path.dirname(ca)}` } })).toBe('hello');
  expect(await ask(host, { env: { SSL_CERT_FILE: '/nowhere' } })).toMatchObject({ code: 'REGISTRY_FAILED' });
});

test('insecure takes any certificate, and plain HTTP; http takes no TLS', async () => {
  const tls = await serveTls(hello);
  const plain = await serve(hello);
  for (const { host } of [tls, plain]) {
    expect(await ask(host, { insecure: true })).toBe('hello');
    expect(await ask(host, { config: hostTable(host, { insecure: true }) })).toBe('hello');
  }
  expect(await ask(plain.host, { config: hostTable(plain.host, { http: true }) })).toBe('hello');
  expect(await ask(plain.host, { config: hostTable(plain.host, { http: false }) })).toMatchObject({
    message: `asking: \`${plain.host}\`: the server does not speak TLS`,
    hint: expect.stringContaining('`http = true`'),
  });
  expect(await ask(tls.host, { config: hostTable(tls.host, { http: true }) })).toMatchObject({
    code: 'REGISTRY_FAILED',
  });
});

test('a client certificate', async () => {
  const ca = readFileSync(certificates.ca.cert);
  const { host } = await serveTls(hello, { ca, requestCert: true, rejectUnauthorized: true });
  const trusted = hostTable(host, { ca: [certificates.ca.cert] });
  expect(await ask(host, { config: trusted })).toMatchObject({ code: 'REGISTRY_FAILED' });
  const { key, cert } = certificates.client;
  const pair = (one: string): string =>
    `${trusted}keypair = [{ key = ${JSON.stringify(one)}, cert = ${JSON.stringify(cert)} }]\n`;
  expect(await ask(host, { config: pair(key) })).toBe('hello');
  expect(await ask(host, { config: pair(certificates.ca.key) })).toMatchObject({
    code: 'CONFIG_INVALID',
    message: `cannot use the client certificate of \`${cert}\` and \`${certificates.ca.key}\``,
  });
  expect(await ask(host, { config: pair('none') })).toMatchObject({ code: 'CONFIG_INVALID' });
  expect(await ask(host, { config: hostTable(host, { ca: [key] }) })).toMatchObject({
    code: 'CONFIG_INVALID',
    message: `\`${key}\` holds no certificate`,
  });
});

test('proxies: plain HTTP is handed over, TLS is tunnelled, with the credentials of the proxy', async () => {
  const plain = await serve(hello);
  const proxy = await proxyTo(plain);
  proxy.authorization = `Basic ${Buffer.from('user:pa:ss').toString('base64')}`;
  const name = 'registry.test:5000';
  const url = `http://user:pa%3Ass@${proxy.host}`;
  const http = hostTable(name, { http: true });
  expect(await ask(name, { config: http, env: { HTTP_PROXY: url } })).toBe('hello');
  expect(proxy.requests).toEqual(['GET http://registry.test:5000/v2/']);
  expect(plain.seen[0]!.headers).toMatchObject({ host: name });
  expect(plain.seen[0]!.headers['proxy-authorization']).toBeUndefined();

  const tls = await serveTls(hello);
  const tunnel = await proxyTo(tls);
  const trusted = hostTable('registry.test', { ca: [certificates.ca.cert] });
  expect(await ask('registry.test', { config: trusted, env: { https_proxy: tunnel.host } })).toBe('hello');
  expect(tunnel.requests).toEqual(['CONNECT registry.test:443']);
  expect(await ask('registry.test', { env: { https_proxy: tunnel.host } })).toMatchObject({
    message: `asking: \`registry.test\` through the proxy \`${tunnel.host}\`: its certificate is signed by an unknown authority`,
  });
});

test('Docker Hub is asked at its host, whatever it is called', async () => {
  const server = await serve(hello);
  const proxy = await proxyTo(server);
  const config = hostTable('docker.io', { http: true });
  for (const name of ['docker.io', 'index.docker.io', 'registry-1.docker.io']) {
    expect(await ask(name, { config, env: { HTTP_PROXY: proxy.host } })).toBe('hello');
  }
  expect(new Set(proxy.requests)).toEqual(new Set(['GET http://registry-1.docker.io/v2/']));
});

test('proxies that refuse, or are not there, are named without their password', async () => {
  const tls = await serveTls(hello);
  const proxy = await proxyTo(tls);
  proxy.authorization = 'Basic x';
  const refused = await ask('registry.test', { env: { HTTPS_PROXY: `http://user:hunter2@${proxy.host}` } });
  expect(refused).toMatchObject({
    message: `asking: \`registry.test\` through the proxy \`${proxy.host}\`: the proxy answered 407`,
    hint: expect.stringContaining('HTTPS_PROXY'),
  });
  const plain = {
    config: hostTable('registry.test', { http: true }),
    env: { HTTP_PROXY: `http://user:hunter2@${proxy.host}` },
  };
  const refusedPlain = await ask('registry.test', plain);
  expect(refusedPlain).toMatchObject({
    message: `asking: \`registry.test\` through the proxy \`${proxy.host}\`: the proxy answered 407`,
  });
  const gone = await ask('registry.test', { env: { HTTPS_PROXY: 'http://user:hunter2@127.0.0.1:1' } });
  expect(gone).toMatchObject({ message: expect.stringContaining('the proxy `127.0.0.1:1`: connection refused') });
  for (const one of [refused, refusedPlain, gone])
    expect(JSON.stringify([one, (one as Error).message])).not.toContain('hunter2');
});

test('a registry with TLS does not send credentials to a token service without', async () => {
  const tokens = await serve(() => ({ body: '{"token":"t"}' }));
  const server = await serveTls(({ headers }) =>
    headers.authorization === 'Bearer t'
      ? { body: 'hello' }
      : { status: 401, headers: { 'www-authenticate': `Bearer realm="${tokens.url}"` } },
  );
  const config = hostTable(server.host, { ca: [certificates.ca.cert] });
  const credentials = { kind: 'basic', username: 'alice', password: 'secret' } as const;
  expect(await ask(server.host, { config, credentials })).toMatchObject({
    code: 'REGISTRY_FAILED',
    message: `asking: \`${server.host}\` wants credentials to be sent to \`${tokens.host}\` over plain HTTP`,
  });
  expect(tokens.seen).toHaveLength(0);
  expect(await ask(server.host, { config })).toBe('hello');
});

test('from TLS to plain HTTP credentials do not go along; on the same host TLS is not left', async () => {
  const plain = await serve(hello);
  const server = await serveTls(({ headers, url }) => {
    if (headers.authorization === undefined) return { status: 401, headers: { 'www-authenticate': 'Basic' } };
    if (url === '/v2/') return { status: 301, headers: { location: `http://${headers.host}/v2/again` } };
    return { status: 302, headers: { location: plain.url } };
  });
  const credentials = { kind: 'basic', username: 'alice', password: 'secret' } as const;
  expect(await ask(server.host, { config: hostTable(server.host, { ca: [certificates.ca.cert] }), credentials })).toBe(
    'hello',
  );
  expect(server.seen.map(({ url }) => url)).toEqual(['/v2/', '/v2/', '/v2/again']);
  expect(plain.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
});
