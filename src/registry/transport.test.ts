import net, { type AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { defaultConfig } from './config.js';
import { anonymous, type Credentials } from './credentials.js';
import { ScriptedServer, type Script } from './scripted-server.fixture.js';
import { Transports, type TransportsOptions } from './transports.js';
import type { RegistryRequest, Transport } from './types.js';

const { signal } = new AbortController();

async function serve(script: Script): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(script);
  onTestFinished(() => server[Symbol.dispose]());
  return server;
}

function connect(host: string, options: Partial<TransportsOptions> = {}): Transport {
  const transports = new Transports({
    config: defaultConfig,
    credentials: anonymous,
    env: {},
    userAgent: 'test/1',
    ...options,
    timing: { delayMs: 1, ...options.timing },
  });
  onTestFinished(() => transports.close());
  return transports.get(host);
}

function request(options: Partial<RegistryRequest> = {}): RegistryRequest {
  return {
    method: 'GET',
    path: 'app/manifests/1',
    scopes: [{ repository: 'app', actions: 'pull' }],
    expect: [200],
    doing: 'pulling `app:1`',
    signal,
    ...options,
  };
}

const as = (credentials: Credentials): Pick<TransportsOptions, 'credentials'> => ({
  credentials: { find: async () => credentials },
});
const alice = as({ kind: 'basic', username: 'alice', password: 'wonder:land' });
const aliceBasic = `Basic ${Buffer.from('alice:wonder:land').toString('base64')}`;

test('a registry is made ready for without being asked, or connected to', async () => {
  const server = await serve(() => ({ body: 'hello' }));
  const transport = connect(server.host);
  await transport.prepare();
  await setTimeout(20);
  expect(server.connections).toBe(0);
  await (await transport.send(request())).discard();
  expect(server.connections).toBeGreaterThan(0);
});

test('this machine is asked by plain HTTP when it does not speak TLS, without being asked twice', async () => {
  const server = await serve(() => ({ headers: { 'x-a': ['1', '2'], 'set-cookie': 'a=b' }, body: 'hello' }));
  const transport = connect(server.host);
  const answer = await transport.send(request({ headers: { accept: 'text/plain' } }));
  expect(answer).toMatchObject({ status: 200, url: `${server.url}/v2/app/manifests/1`, headers: { 'x-a': '1, 2' } });
  expect((await answer.bytes(5)).toString()).toBe('hello');
  await (await transport.send(request({ path: '' }))).discard();
  expect(server.seen.map(({ url }) => url)).toEqual(['/v2/app/manifests/1', '/v2/']);
  expect(server.seen[0]!.headers).toMatchObject({ 'user-agent': 'test/1', accept: 'text/plain' });
  expect(server.seen[1]!.headers.cookie).toBeUndefined();
});

test('a body longer than it may be is an error', async () => {
  const server = await serve(() => ({ body: 'hello' }));
  const answer = await connect(server.host).send(request());
  await expect(answer.bytes(4)).rejects.toMatchObject({
    code: 'REGISTRY_FAILED',
    message: `\`${server.host}\` answered with more than 4 bytes`,
  });
});

test('basic authentication, once asked for, is sent at once', async () => {
  const server = await serve(({ headers }) =>
    headers.authorization === aliceBasic
      ? { body: 'in' }
      : { status: 401, headers: { 'www-authenticate': 'Basic realm="x, y"' } },
  );
  const transport = connect(server.host, alice);
  await (await transport.send(request())).discard();
  await (await transport.send(request())).discard();
  expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, aliceBasic, aliceBasic]);
});

test('a token is asked for as the registry says, kept, and shared by requests at the same time', async () => {
  const auth = await serve(() => ({ body: JSON.stringify({ token: 't1', expires_in: 300 }) }));
  const server = await serve(({ headers }) =>
    headers.authorization === 'Bearer t1'
      ? { body: 'in' }
      : {
          status: 401,
          headers: {
            'www-authenticate': `Bearer realm="${auth.url}/token",service="the, registry",scope="repository:app:pull"`,
          },
        },
  );
  const transport = connect(server.host, alice);
  await Promise.all(Array.from({ length: 5 }, async () => (await transport.send(request())).discard()));
  await (await transport.send(request())).discard();
  expect(auth.seen).toHaveLength(1);
  const asked = new URL(auth.seen[0]!.url, auth.url);
  expect(asked.searchParams.getAll('scope')).toEqual(['repository:app:pull']);
  expect(asked.searchParams.get('service')).toBe('the, registry');
  expect(auth.seen[0]!.headers.authorization).toBe(aliceBasic);
  const mount = [
    { repository: 'app', actions: 'push,pull' },
    { repository: 'base', actions: 'pull' },
    { repository: 'app', actions: 'pull' },
  ] as const;
  await (await transport.send(request({ scopes: mount }))).discard();
  expect(new URL(auth.seen[1]!.url, auth.url).searchParams.getAll('scope')).toEqual([
    'repository:app:pull,push',
    'repository:base:pull',
  ]);
});

test('a token that the registry takes no more is replaced once', async () => {
  let valid = 0;
  const auth = await serve((_, count) => ({ body: JSON.stringify({ access_token: `t${count}` }) }));
  const server = await serve(({ headers }) =>
    headers.authorization === `Bearer t${valid}`
      ? { body: 'in' }
      : { status: 401, headers: { 'www-authenticate': `Bearer realm="${auth.url}"` } },
  );
  const transport = connect(server.host);
  valid = 1;
  await (await transport.send(request())).discard();
  valid = 2;
  await (await transport.send(request())).discard();
  expect(auth.seen).toHaveLength(2);
  expect(auth.seen[0]!.headers.authorization).toBeUndefined();
  valid = 99;
  await expect(transport.send(request())).rejects.toMatchObject({
    code: 'REGISTRY_DENIED',
    message: `pulling \`app:1\`: \`${server.host}\` answered 401 Unauthorized`,
    hint: `log in with \`slipway login ${server.host}\`, or check the name`,
  });
  expect(auth.seen).toHaveLength(3);
});

test('a token is replaced before it expires, without the registry having to refuse it', async () => {
  const auth = await serve((_, count) => ({ body: JSON.stringify({ token: `t${count}`, expires_in: 0.001 }) }));
  const server = await serve(({ headers }) =>
    headers.authorization?.startsWith('Bearer t')
      ? { body: 'in' }
      : { status: 401, headers: { 'www-authenticate': `Bearer realm="${auth.url}"` } },
  );
  const transport = connect(server.host);
  await (await transport.send(request())).discard();
  await setTimeout(5);
  await (await transport.send(request())).discard();
  expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer t1', 'Bearer t2']);
});

test('what the registry asks for beyond the scopes of a request is asked for too', async () => {
  const auth = await serve(() => ({ body: '{"token":"t"}' }));
  const scope = 'repository:library/app:pull registry:catalog:*';
  const server = await serve(({ headers }) =>
    headers.authorization === 'Bearer t'
      ? { body: 'in' }
      : { status: 401, headers: { 'www-authenticate': `Bearer realm="${auth.url}",scope="${scope}"` } },
  );
  await (await connect(server.host).send(request())).discard();
  expect(new URL(auth.seen[0]!.url, auth.url).searchParams.getAll('scope')).toEqual([
    'repository:app:pull',
    'repository:library/app:pull',
    'registry:catalog:*',
  ]);
});

test('redirects take the body along, but never the credentials to another host', async () => {
  const store = await serve(() => ({ status: 201 }));
  const server = await serve(({ headers, url }) => {
    if (headers.authorization === undefined) return { status: 401, headers: { 'www-authenticate': 'Basic' } };
    if (url === '/v2/a') return { status: 308, headers: { location: '/v2/b' } };
    return { status: 307, headers: { location: `${store.url}/put?signature=secret` } };
  });
  const transport = connect(server.host, alice);
  const body = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('hel');
    yield Buffer.from('lo');
  };
  const answer = await transport.send(request({ method: 'PUT', path: 'a', body, contentLength: 5, expect: [201] }));
  await answer.discard();
  expect(server.seen.map(({ url, headers }) => [url, headers.authorization])).toEqual([
    ['/v2/a', undefined],
    ['/v2/a', aliceBasic],
    ['/v2/b', aliceBasic],
  ]);
  expect(store.seen[0]!.headers.authorization).toBeUndefined();
  expect(store.seen.map((one) => [one.body.toString(), one.headers['content-length']])).toEqual([['hello', '5']]);
});

test('what may pass is tried again, what does not pass is not', async () => {
  const server = await serve((_, count) => (count === 1 ? 'cut' : { status: count === 2 ? 503 : 200, body: 'x' }));
  const transport = connect(server.host);
  await (await transport.send(request())).discard();
  expect(server.seen).toHaveLength(3);
  const failing = await serve(() => ({
    status: 500,
    body: '{"errors":[{"code":"UNKNOWN","message":"oh\\u001b[31m no"}]}',
  }));
  await expect(connect(failing.host, { timing: { tries: 3 } }).send(request())).rejects.toMatchObject({
    code: 'REGISTRY_FAILED',
    message: `pulling \`app:1\`: \`${failing.host}\` answered 500 Internal Server Error: UNKNOWN: oh [31m no`,
    status: 500,
    codes: ['UNKNOWN'],
  });
  expect(failing.seen).toHaveLength(3);
  await expect(connect(failing.host).send(request({ mayRepeat: false }))).rejects.toMatchObject({ isTransient: true });
  expect(failing.seen).toHaveLength(4);
  const missing = await serve(() => ({ status: 404 }));
  await expect(connect(missing.host).send(request())).rejects.toMatchObject({ status: 404, isTransient: false });
  expect(missing.seen).toHaveLength(1);
});

test('an error of the bytes that are sent is the error, and not tried again, whatever it is', async () => {
  const server = await serve(() => ({ status: 201 }));
  for (const fault of [new Error('corrupt'), Object.assign(new Error('cut'), { code: 'ECONNRESET' })]) {
    let bodies = 0;
    const body = async function* (): AsyncGenerator<Buffer> {
      bodies++;
      yield Buffer.from('a');
      throw fault;
    };
    await expect(connect(server.host).send(request({ method: 'PUT', body, expect: [201] }))).rejects.toBe(fault);
    expect(bodies).toBe(1);
  }
});

test('a connection that is cut while nobody reads is told to who reads later', async () => {
  const sockets = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf');
  });
  await new Promise<void>((resolve) => sockets.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void sockets.close());
  const host = `127.0.0.1:${(sockets.address() as AddressInfo).port}`;
  const config = { host: () => ({ ...defaultConfig.host(''), http: true }) };
  const answer = await connect(host, { config }).send(request());
  await new Promise((resolve) => answer.body.once('close', resolve));
  await expect(answer.bytes(100)).rejects.toMatchObject({ message: expect.stringContaining('the connection was cut') });
});
