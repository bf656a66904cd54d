import net, { type AddressInfo, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { limits } from '../base/limits.js';
import { defaultConfig } from './config.js';
import type { Credentials } from './credentials.js';
import type { Timing } from './retry.js';
import { ScriptedServer, type Script } from './scripted-server.fixture.js';
import { Transports } from './transports.js';
import type { RegistryRequest } from './types.js';

const PASSWORD = 'wonder:land';
const BASIC = Buffer.from(`alice:${PASSWORD}`).toString('base64');
const alice: Credentials = { kind: 'basic', username: 'alice', password: PASSWORD };

async function serve(script: Script): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(script);
  onTestFinished(() => server[Symbol.dispose]());
  return server;
}

/** A server that says what is not HTTP, or not all of it. */
async function serveRaw(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Asked extends Partial<RegistryRequest> {
  readonly credentials?: Credentials;
  readonly timing?: Partial<Timing>;
}

/** The body that comes of a request, or the error; no error shows a secret, in whatever part of it. */
async function ask(host: string, { credentials = alice, timing, ...request }: Asked = {}): Promise<unknown> {
  const config = { host: () => ({ ...defaultConfig.host(''), http: true }) };
  const source = { find: async () => credentials };
  const bounds = { delayMs: 1, tries: 2, ...timing };
  const transports = new Transports({ config, credentials: source, env: {}, userAgent: 'test', timing: bounds });
  try {
    const answer = await transports.get(host).send({
      method: 'GET',
      path: 'app/manifests/1',
      scopes: [{ repository: 'app', actions: 'pull' }],
      expect: [200],
      doing: 'pulling `app:1`',
      signal: new AbortController().signal,
      ...request,
    });
    return (await answer.bytes(1024 * 1024)).toString();
  } catch (error) {
    const shown = inspect(error, { depth: null, showHidden: true });
    for (const secret of [PASSWORD, BASIC, 'SECRET', 'identity-1']) expect(shown).not.toContain(secret);
    return error;
  } finally {
    await transports.close();
  }
}

const challenge = (value: string): { status: number; headers: Record<string, string> } => ({
  status: 401,
  headers: { 'www-authenticate': value },
});

test('a realm that is no URL of http or https gets nothing', async () => {
  for (const realm of ['', 'token', 'file:///etc/passwd', 'http://[', 'javascript:1']) {
    const server = await serve(() => challenge(`Bearer realm="${realm}",service="x"`));
    expect(await ask(server.host)).toMatchObject({
      code: 'REGISTRY_FAILED',
      message: `pulling \`app:1\`: \`${server.host}\` names a token service that is no URL`,
    });
    expect(server.seen).toHaveLength(1);
  }
});

test('challenges without end are answered once', async () => {
  const server = await serve((_, count) => challenge(`Basic realm="${count}"`));
  expect(await ask(server.host)).toMatchObject({ code: 'REGISTRY_DENIED', status: 401 });
  expect(server.seen).toHaveLength(2);
  const tokens = await serve((_, count) => ({ body: JSON.stringify({ token: `SECRET-${count}` }) }));
  const bearer = await serve((_, count) => challenge(`Bearer realm="${tokens.url}",scope="repository:${count}:pull"`));
  expect(await ask(bearer.host)).toMatchObject({ code: 'REGISTRY_DENIED', status: 401 });
  expect([bearer.seen.length, tokens.seen.length]).toEqual([2, 1]);
  const unknown = await serve(() => challenge('Digest realm="x", qop="auth"'));
  expect(await ask(unknown.host)).toMatchObject({ code: 'REGISTRY_DENIED', status: 401 });
  expect(unknown.seen).toHaveLength(1);
});

test('redirects in a circle, out of http and to nowhere end', async () => {
  const circle = await serve(({ url }) => ({ status: 302, headers: { location: url } }));
  expect(await ask(circle.host)).toMatchObject({ message: expect.stringContaining('stopped after 10 redirects') });
  expect(circle.seen).toHaveLength(limits.redirects + 1);
  for (const location of ['file:///etc/passwd', 'http://[', 'ftp://x/']) {
    const server = await serve(() => ({ status: 307, headers: { location } }));
    expect(await ask(server.host)).toMatchObject({
      code: 'REGISTRY_FAILED',
      message: `pulling \`app:1\`: \`${server.host}\` redirects to what is no URL of http or https`,
    });
    expect(await ask(server.host, { path: location })).toMatchObject({ code: 'REGISTRY_FAILED' });
  }
  const upload = await serve(() => ({ status: 302, headers: { location: '/elsewhere' } }));
  expect(await ask(upload.host, { method: 'PUT', body: () => Buffer.from('x') })).toMatchObject({ status: 302 });
  expect(upload.seen).toHaveLength(1);
});

test('another port of the same host gets no credentials, even when it asks for them', async () => {
  const other = await serve(() => challenge('Basic realm="give me"'));
  const server = await serve(({ headers }) =>
    headers.authorization === undefined
      ? challenge('Basic')
      : { status: 307, headers: { location: `${other.url}/x?sig=SECRET` } },
  );
  expect(await ask(server.host)).toMatchObject({ code: 'REGISTRY_DENIED', status: 401 });
  expect(await ask(server.host, { path: `${other.url}/x?sig=SECRET` })).toMatchObject({ status: 401 });
  expect(other.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
});

test('an identity token is posted to the realm, and not on to where that redirects', async () => {
  const other = await serve(() => ({ body: JSON.stringify({ token: 'SECRET' }) }));
  const tokens = await serve(() => ({ status: 307, headers: { location: other.url } }));
  const server = await serve(() => challenge(`Bearer realm="${tokens.url}/oauth",service="s"`));
  const credentials: Credentials = { kind: 'identity-token', token: 'identity-1' };
  expect(await ask(server.host, { credentials })).toMatchObject({ code: 'REGISTRY_FAILED', status: 307 });
  expect(other.seen).toHaveLength(0);
  expect(tokens.seen[0]).toMatchObject({ method: 'POST', url: '/oauth' });
  expect(Object.fromEntries(new URLSearchParams(tokens.seen[0]!.body.toString()))).toEqual({
    grant_type: 'refresh_token',
    refresh_token: 'identity-1',
    client_id: 'slipway',
    service: 's',
    scope: 'repository:app:pull',
  });
});

test('what a registry says comes without secrets, signed URLs and control characters, and bounded', async () => {
  const server = await serve(({ headers }) =>
    headers.authorization === undefined
      ? challenge('Basic')
      : {
          status: 400,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            errors: [
              {
                code: 'BAD',
                message: `${headers.authorization} ${PASSWORD} https://s3.test/a?X-Signature=SECRET \u001b[2J\u202e${'x'.repeat(9000)}`,
              },
            ],
          }),
        },
  );
  const error = (await ask(server.host)) as Error;
  expect(error.message).toContain('answered 400 Bad Request: BAD: Basic xxxxx xxxxx https://s3.test/a?… [2J x');
  expect(error.message.length).toBeLessThan(700);
});

test('answers larger than they may be', async () => {
  const huge = Buffer.alloc(32 * 1024 * 1024, 'a');
  const error = await serve(() => ({ status: 400, body: huge }));
  expect(await ask(error.host)).toMatchObject({ status: 400 });
  const body = await serve(() => ({ body: huge }));
  expect(await ask(body.host)).toMatchObject({
    message: expect.stringContaining('answered with more than 1048576 bytes'),
  });
  const headers = await serve(() => ({
    headers: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`x-${i}`, 'y'.repeat(1000)])),
  }));
  expect(await ask(headers.host)).toMatchObject({
    message: expect.stringContaining('the answer has too many headers'),
  });
  const tokens = await serve(() => ({ body: huge }));
  const server = await serve(() => challenge(`Bearer realm="${tokens.url}"`));
  expect(await ask(server.host)).toMatchObject({ message: expect.stringContaining('gave no token') });
});

test('a token service that gives no token, one that cannot be a header, or no answer', async () => {
  for (const body of ['', '[]', 'null', '{"token":""}', '{"token":"a\\r\\nx: y"}', '{"token":1}']) {
    const tokens = await serve(() => ({ body }));
    const server = await serve(() => challenge(`Bearer realm="${tokens.url}"`));
    expect(await ask(server.host)).toMatchObject({
      code: 'REGISTRY_FAILED',
      message: `pulling \`app:1\`: the token service \`${tokens.host}\` gave no token`,
    });
  }
  const silent = await serve(() => 'silence');
  const server = await serve(() => challenge(`Bearer realm="${silent.url}/?sig=SECRET"`));
  expect(await ask(server.host, { timing: { tokenMs: 100 } })).toMatchObject({
    code: 'REGISTRY_FAILED',
    message: `pulling \`app:1\`: \`${silent.host}\`: no answer in time`,
  });
  const refusing = await serve(() => ({ status: 401, body: '{"details":"incorrect username or password"}' }));
  const strict = await serve(() => challenge(`Bearer realm="${refusing.url}"`));
  expect(await ask(strict.host)).toMatchObject({
    code: 'REGISTRY_DENIED',
    message: `pulling \`app:1\`: \`${refusing.host}\` answered 401 Unauthorized: incorrect username or password`,
    hint: expect.stringContaining(`\`slipway login ${strict.host}\``),
  });
});

test('a registry that falls silent, before its answer or within it', async () => {
  const silent = await serve(() => 'silence');
  const noAnswer = { message: `pulling \`app:1\`: \`${silent.host}\`: no answer in time`, isTransient: true };
  expect(await ask(silent.host, { timing: { answerMs: 700 } })).toMatchObject(noAnswer);
  expect(silent.seen).toHaveLength(2);
  // What writes may take longer than what reads.
  expect(await ask(silent.host, { method: 'POST', timing: { answerMs: 1, headersMs: 700 } })).toMatchObject(noAnswer);
  const halting = await serveRaw((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'));
  expect(await ask(halting, { timing: { bodyMs: 100 } })).toMatchObject({
    message: expect.stringContaining('no answer in time'),
  });
  const cutting = await serveRaw((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'));
  expect(await ask(cutting)).toMatchObject({
    message: `pulling \`app:1\`: \`${cutting}\`: the connection was cut`,
    isTransient: true,
  });
});

test('what is no registry', async () => {
  const chatter = await serveRaw((socket) => socket.end('220 smtp.test ESMTP\r\n'));
  expect(await ask(chatter)).toMatchObject({ message: expect.stringContaining('the answer is not HTTP') });
  const mute = await serveRaw((socket) => socket.destroy());
  expect(await ask(mute)).toMatchObject({ message: expect.stringContaining('the connection was cut') });
  expect(await ask('127.0.0.1:1')).toMatchObject({
    message: 'pulling `app:1`: `127.0.0.1:1`: connection refused',
    hint: 'is it running, and is this its port?',
  });
});

test('Retry-After is heeded as long as it is bearable', async () => {
  const seconds = await serve((_, count) =>
    count === 1 ? { status: 429, headers: { 'retry-after': '1' } } : { body: 'ok' },
  );
  const startedAt = performance.now();
  expect(await ask(seconds.host)).toBe('ok');
  expect(performance.now() - startedAt).toBeGreaterThan(900);
  const soon = (): string => new Date(Date.now() - 5000).toUTCString();
  const date = await serve((_, count) =>
    count === 1 ? { status: 503, headers: { 'retry-after': soon() } } : { body: 'ok' },
  );
  expect(await ask(date.host)).toBe('ok');
  const later = await serve(() => ({ status: 429, headers: { 'retry-after': '86400' } }));
  expect(await ask(later.host)).toMatchObject({ status: 429, isTransient: true });
  expect(later.seen).toHaveLength(1);
});

test('an abort ends the wait for an answer, for a retry and for a token, with its reason', async () => {
  const reason = new Error('enough');
  const silent = await serve(() => 'silence');
  const limited = await serve(() => ({ status: 503, headers: { 'retry-after': '50' } }));
  const bearer = await serve(() => challenge(`Bearer realm="${silent.url}"`));
  for (const { host } of [silent, limited, bearer]) {
    const stop = new AbortController();
    const asked = ask(host, { signal: stop.signal });
    setTimeout(() => stop.abort(reason), 100);
    expect(await asked).toBe(reason);
  }
});
