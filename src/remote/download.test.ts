import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { download, type DownloadOptions } from './download.js';
import { parseHttpTime } from './http-time.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-download-'));
const file = path.join(dir, 'file');
const seen: IncomingMessage[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let server: http.Server;
let base: string;

beforeEach(async () => {
  seen.length = 0;
  server = http.createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  base = await listen(server);
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(file, { force: true });
});

async function listen(one: http.Server): Promise<string> {
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(one.address() as AddressInfo).port}`;
}

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

function get(at: string, options: Partial<DownloadOptions> = {}): ReturnType<typeof download> {
  const { signal } = new AbortController();
  return download(at.startsWith('/') ? base + at : at, file, { signal, userAgent: 'test', retryMs: 1, ...options });
}

test('a file with its digest and what tells whether it is still the same', async () => {
  answer = (_request, response) =>
    response.writeHead(200, { etag: 'W/"1"', 'last-modified': 'Sun, 09 Sep 2001 01:46:40 GMT' }).end('hello');
  const progress: unknown[] = [];
  expect(await get('/f', { onProgress: (...one) => progress.push(one) })).toEqual({
    kind: 'fetched',
    digest: sha256('hello'),
    size: 5,
    validators: { etag: '"1"', lastModified: 'Sun, 09 Sep 2001 01:46:40 GMT' },
  });
  expect(readFileSync(file, 'utf8')).toBe('hello');
  expect(progress).toEqual([[5, undefined]]);
  expect(seen[0]!.headers).toMatchObject({ 'user-agent': 'test', 'accept-encoding': 'gzip' });
});

test('compression for the way is undone', async () => {
  answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(zlib.gzipSync('hello'));
  expect(await get('/f.gz', { checksum: sha256('hello') })).toMatchObject({ size: 5 });
  expect(readFileSync(file, 'utf8')).toBe('hello');
});

test('the server is asked for what has changed only', async () => {
  answer = ({ headers }, response) => response.writeHead(headers['if-none-match'] === '"1"' ? 304 : 200).end('new');
  expect(await get('/f', { known: { etag: '"1"', lastModified: 'x' } })).toEqual({ kind: 'same' });
  expect(seen[0]!.headers['if-modified-since']).toBeUndefined();
  expect(await get('/f', { known: { etag: '"2"' } })).toMatchObject({ kind: 'fetched', digest: sha256('new') });
  answer = (_request, response) => response.writeHead(200, { etag: '"1"' }).end('not read');
  expect(await get('/f', { known: { etag: '"1"' } })).toEqual({ kind: 'same' });
  answer = ({ headers }, response) => response.writeHead(headers['if-modified-since'] ? 304 : 200).end();
  expect(await get('/f', { known: { lastModified: 'Sun, 09 Sep 2001 01:46:40 GMT' } })).toEqual({ kind: 'same' });
});

test('other bytes than the checksum says are refused, in every algorithm, and leave no file', async () => {
  answer = (_request, response) => response.end('hello');
  await expect(get('/f', { checksum: sha256('other') })).rejects.toMatchObject({
    code: 'FETCH_FAILED',
    message: `digest mismatch ${sha256('hello')}: ${sha256('other')}`,
  });
  expect(existsSync(file)).toBe(false);
  const sha512 = `sha512:${createHash('sha512').update('hello').digest('hex')}`;
  expect(await get('/f', { checksum: sha512 })).toMatchObject({ digest: sha256('hello') });
  await expect(get('/f', { checksum: sha512.replace(/.$/, 'x') })).rejects.toThrow('digest mismatch sha512:');
  expect(seen).toHaveLength(3);
});

test('what may pass is tried again, what does not pass is not', async () => {
  answer = (_request, response) => {
    if (seen.length === 1) response.writeHead(503).end();
    else if (seen.length === 2) {
      response.writeHead(200, { 'content-length': '10' }).write('hello');
      setImmediate(() => response.destroy());
    } else response.end('hello');
  };
  expect(await get('/f')).toMatchObject({ size: 5 });
  expect(seen).toHaveLength(3);
  answer = (_request, response) => response.writeHead(500).end();
  await expect(get('/f')).rejects.toThrow('invalid response status 500');
  expect(seen).toHaveLength(6);
  answer = (_request, response) => response.writeHead(404).end();
  await expect(get('/f')).rejects.toThrow('invalid response status 404');
  expect(seen).toHaveLength(7);
});

test('a server that falls silent is given up, and so is one that is not there', async () => {
  answer = (_request, response) => void response.writeHead(200).write('he');
  await expect(get('/f', { idleMs: 30 })).rejects.toMatchObject({
    code: 'FETCH_FAILED',
    cause: { message: 'no answer for 0.03 seconds' },
  });
  expect(seen).toHaveLength(3);
  await expect(get('http://user:secret@127.0.0.1:1/f')).rejects.toMatchObject({
    code: 'FETCH_FAILED',
    message: 'cannot fetch `http://xxxxx@127.0.0.1:1/f`',
  });
});

test('redirects are followed, but not for ever, not out of http, and not with the credentials to other hosts', async () => {
  const others: IncomingMessage[] = [];
  const other = http.createServer((request, response) => {
    others.push(request);
    response.end('there');
  });
  const elsewhere = await listen(other);
  answer = ({ url }, response) => {
    const to = { '/a': 'b', '/b': `${elsewhere}/c`, '/loop': '/loop', '/file': 'file:///etc/passwd' }[url!]!;
    response.writeHead(302, { location: to }).end();
  };
  try {
    expect(await get('/a', { authorization: 'Bearer x' })).toMatchObject({ digest: sha256('there') });
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer x', 'Bearer x']);
    expect(others.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    await expect(get('/loop')).rejects.toThrow('stopped after 10 redirects');
    await expect(get('/file')).rejects.toThrow('`file:///etc/passwd` is not a URL of http or https');
  } finally {
    other.closeAllConnections();
    other.close();
  }
});

test('an abort is the reason, and not tried again', async () => {
  const stop = new AbortController();
  answer = () => stop.abort(new Error('enough'));
  await expect(get('/f', { signal: stop.signal })).rejects.toThrow('enough');
  expect(seen).toHaveLength(1);
});

test('the three forms of dates', () => {
  for (const one of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
    expect(parseHttpTime(one)).toBe(784111777);
  }
  for (const one of ['', '1994-11-06', 'Sun, 06 Nov 1994 08:49:37', 'yesterday']) {
    expect(parseHttpTime(one)).toBeUndefined();
  }
});
