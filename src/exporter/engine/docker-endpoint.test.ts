import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chosenEndpoint, parseEndpoint } from './docker-endpoint.js';

let dir: string;
beforeEach(() => (dir = mkdtempSync(path.join(tmpdir(), 'slipway-endpoint-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function writeContext(name: string, host: string, tls: Readonly<Record<string, string>> = {}): void {
  const id = createHash('sha256').update(name).digest('hex');
  mkdirSync(path.join(dir, 'contexts/meta', id), { recursive: true });
  const meta = { Name: name, Metadata: {}, Endpoints: { docker: { Host: host, SkipTLSVerify: false } } };
  writeFileSync(path.join(dir, 'contexts/meta', id, 'meta.json'), JSON.stringify(meta));
  for (const [file, text] of Object.entries(tls)) {
    mkdirSync(path.join(dir, 'contexts/tls', id, 'docker'), { recursive: true });
    writeFileSync(path.join(dir, 'contexts/tls', id, 'docker', file), text);
  }
}

describe('an address', () => {
  test.each([
    ['unix:///run/user/1000/docker.sock', { socketPath: '/run/user/1000/docker.sock' }],
    ['tcp://engine.example', { host: 'engine.example', port: 2375 }],
    ['tcp://127.0.0.1:80', { host: '127.0.0.1', port: 80 }],
    ['tcp://[::1]:2375/', { host: '::1', port: 2375 }],
    ['http://localhost:8080', { host: 'localhost', port: 8080 }],
    ['https://engine.example', { host: 'engine.example', port: 2376 }],
  ])('%s', (text, address) => {
    const endpoint = parseEndpoint(text);
    expect(endpoint.address).toEqual(address);
    expect(endpoint.tls !== undefined).toBe(text.startsWith('https'));
  });

  test.each([
    'ssh://root@host',
    'npipe:////./pipe/docker_engine',
    '/var/run/docker.sock',
    'unix://docker.sock',
    'tcp://',
  ])('%s is refused, with what to do', (text) => {
    expect(() => parseEndpoint(text)).toThrow(
      expect.objectContaining({ code: 'ENGINE_UNAVAILABLE', hint: expect.stringContaining('DOCKER_HOST') as string }),
    );
  });

  test('a password in it is not repeated', () => {
    expect(parseEndpoint('tcp://name:secret@127.0.0.1:1').url).toBe('tcp://127.0.0.1:1');
    expect(() => parseEndpoint('fd://name:secret@host')).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') as string }),
    );
  });
});

describe('what the environment chooses', () => {
  test('nothing, where there is no configuration, or one that says `default`', async () => {
    expect(await chosenEndpoint({ DOCKER_CONFIG: path.join(dir, 'none') })).toBeUndefined();
    writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ auths: {}, currentContext: 'default' }));
    expect(await chosenEndpoint({ DOCKER_CONFIG: dir })).toBeUndefined();
  });

  test('DOCKER_HOST before DOCKER_CONTEXT before the current context', async () => {
    writeContext('one', 'unix:///one');
    writeContext('two', 'unix:///two');
    writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ currentContext: 'one' }));
    const env = { DOCKER_CONFIG: dir };
    expect((await chosenEndpoint(env))?.url).toBe('unix:///one');
    expect((await chosenEndpoint({ ...env, DOCKER_CONTEXT: 'two' }))?.url).toBe('unix:///two');
    expect((await chosenEndpoint({ ...env, DOCKER_CONTEXT: 'two', DOCKER_HOST: 'unix:///three' }))?.url).toBe(
      'unix:///three',
    );
    expect(await chosenEndpoint({ ...env, DOCKER_CONTEXT: 'default' })).toBeUndefined();
  });

  test('with the certificates of a context, or of DOCKER_CERT_PATH', async () => {
    writeContext('safe', 'tcp://engine.example:1', { 'ca.pem': 'A', 'cert.pem': 'C', 'key.pem': 'K' });
    const tls = { ca: Buffer.from('A'), cert: Buffer.from('C'), key: Buffer.from('K'), verify: true };
    expect((await chosenEndpoint({ DOCKER_CONFIG: dir, DOCKER_CONTEXT: 'safe' }))?.tls).toEqual(tls);
    writeFileSync(path.join(dir, 'ca.pem'), 'B');
    const env = { DOCKER_HOST: 'tcp://engine.example', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: dir };
    expect(await chosenEndpoint(env)).toEqual({
      url: 'tcp://engine.example:2376',
      address: { host: 'engine.example', port: 2376 },
      tls: { ca: Buffer.from('B'), verify: true },
    });
  });

  test('a context that is not there, and a file that is none of Docker’s, are errors', async () => {
    await expect(chosenEndpoint({ DOCKER_CONFIG: dir, DOCKER_CONTEXT: 'gone' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'no Docker context is named `gone`',
    });
    writeFileSync(path.join(dir, 'config.json'), '{');
    await expect(chosenEndpoint({ DOCKER_CONFIG: dir })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
