import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeEngine } from './fake-engine.fixture.js';
import { findEngine, type EnginePlaces } from './find-engine.js';

const opts = { signal: new AbortController().signal };

let dir: string;
let env: NodeJS.ProcessEnv;
let places: EnginePlaces;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'slipway-find-'));
  env = { PATH: process.env['PATH'], DOCKER_CONFIG: path.join(dir, 'config') };
  places = {
    dockerSocket: path.join(dir, 'system/engine.sock'),
    containerdSocket: path.join(dir, 'containerd.sock'),
    findProgram: (name) => [path.join(dir, name)].find(existsSync),
  };
  mkdirSync(path.join(dir, 'system'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Keeps what it gets on stdin, and its arguments, in files of its name. */
function program(name: string, end = 'exit 0'): void {
  const script = `#!/bin/sh\necho "$*" >"$0.args"\ncat >"$0.stdin"\n${end}\n`;
  writeFileSync(path.join(dir, name), script);
  chmodSync(path.join(dir, name), 0o755);
}

function read(name: string): string {
  return readFileSync(path.join(dir, name), 'utf8').trim();
}

async function* archive(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('the archive');
}

describe('without a word from the user, the first that answers:', () => {
  test('the machine’s Docker, before everything else', async () => {
    program('podman');
    await using fake = await FakeEngine.start(path.join(dir, 'system'));
    const engine = await findEngine(env, opts, places);
    expect(engine).toMatchObject({ name: `the Docker engine at \`${fake.host}\``, archive: 'layout-too' });
  });

  test('this user’s Docker, when the machine’s is there and does not answer', async () => {
    program('podman');
    const gone = net.createServer().listen(places.dockerSocket);
    await once(gone, 'listening');
    await using fake = await FakeEngine.start(dir);
    const server = net.createServer((connection) => {
      connection.pipe(net.connect(fake.host.slice('unix://'.length))).pipe(connection);
    });
    const own = path.join(dir, 'own');
    mkdirSync(own);
    server.listen(path.join(own, 'docker.sock'));
    await once(server, 'listening');
    gone.close();
    const engine = await findEngine({ ...env, XDG_RUNTIME_DIR: own }, opts, places);
    expect(engine.name).toBe(`the Docker engine at \`unix://${own}/docker.sock\``);
    server.close();
  });

  test('podman, which gets the archive on stdin', async () => {
    program('podman');
    const engine = await findEngine(env, opts, places);
    expect(engine).toMatchObject({ name: '`podman load`', archive: 'docker' });
    await engine.load(archive(), opts);
    expect([read('podman.args'), read('podman.stdin')]).toEqual(['load --quiet', 'the archive']);
  });

  test('containerd, by nerdctl or else by ctr', async () => {
    program('ctr');
    const containerd = net.createServer().listen(places.containerdSocket);
    await once(containerd, 'listening');
    await (await findEngine(env, opts, places)).load(archive(), opts);
    expect(read('ctr.args')).toBe(`--address ${places.containerdSocket} images import -`);
    program('nerdctl');
    await (await findEngine(env, opts, places)).load(archive(), opts);
    expect(read('nerdctl.args')).toBe(`--address ${places.containerdSocket} load`);
    containerd.close();
  });

  test('none: a program without its engine is none, and what does not answer is told', async () => {
    program('ctr');
    writeFileSync(places.dockerSocket, 'no socket');
    await expect(findEngine(env, opts, places)).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(
        /^no container engine is here that takes the image; the Docker engine at `unix:.*` cannot be used: connect E/,
      ) as string,
      hint: expect.stringContaining('DOCKER_HOST') as string,
    });
  });
});

test('an engine that the user names is used or is an error, whatever else is here', async () => {
  program('podman');
  await using fake = await FakeEngine.start(path.join(dir, 'system'));
  const host = `unix://${dir}/named.sock`;
  await expect(findEngine({ ...env, DOCKER_HOST: host }, opts, places)).rejects.toMatchObject({
    code: 'ENGINE_UNAVAILABLE',
    message: `the Docker engine at \`${host}\` cannot be used`,
  });
  expect(fake.requests).toEqual([]);
});

describe('a program that takes archives', () => {
  test('and fails is quoted, also when it reads nothing', async () => {
    const script = '#!/bin/sh\nexec <&-\necho "cannot write to the storage" >&2\nexit 125\n';
    writeFileSync(path.join(dir, 'podman'), script, { mode: 0o755 });
    async function* much(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 100; i++) yield Buffer.alloc(64 * 1024);
    }
    await expect((await findEngine(env, opts, places)).load(much(), opts)).rejects.toMatchObject({
      code: 'EXPORT_FAILED',
      message: '`podman load` does not take the image, it ended with 125: cannot write to the storage',
    });
  });

  test('is ended when the archive cannot be read, and that is the error', async () => {
    program('podman');
    const fault = new Error('no such blob');
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a');
      throw fault;
    }
    await expect((await findEngine(env, opts, places)).load(broken(), opts)).rejects.toBe(fault);
  });

  test('is ended by an abort', async () => {
    program('podman', 'sleep 1000');
    const stop = new AbortController();
    const loading = (await findEngine(env, opts, places)).load(archive(), { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(loading).rejects.toThrow('enough');
  });
});
