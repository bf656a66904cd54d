import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeEngine, readAll, takeAll } from './fake-engine.fixture.js';
import { BuildError } from '../../base/errors.js';
import { DockerEngine } from './docker-engine.js';
import { parseEndpoint } from './docker-endpoint.js';

const opts = { signal: new AbortController().signal };
const MANY = 400;
const CHUNK = Buffer.alloc(64 * 1024, 1);

let dir: string;
beforeEach(() => (dir = mkdtempSync(path.join(tmpdir(), 'slipway-engine-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** More than any buffer on the way holds. */
async function* archive(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < MANY; i++) yield CHUNK;
}

function engineAt(url: string): DockerEngine {
  return new DockerEngine(parseEndpoint(url));
}

test('an engine gets every byte of the archive, and is asked to be quiet', async () => {
  await using fake = await FakeEngine.start(dir);
  let bytes = 0;
  let type: string | undefined;
  fake.answer = async (request, response) => {
    bytes = (await readAll(request, response)).length;
    type = request.headers['content-type'];
    response.end('{"stream":"Loaded image: a:1\\n"}\n{"stream":"Loaded image: a:2\\n"}\n');
  };
  const engine = engineAt(fake.host);
  expect(await engine.fault(opts)).toBeUndefined();
  await engine.load(archive(), opts);
  expect({ bytes, type }).toEqual({ bytes: MANY * CHUNK.length, type: 'application/x-tar' });
  expect(fake.requests).toEqual(['GET /_ping', 'POST /images/load?quiet=1']);
});

test('one that does not say that it wants the archive gets it all the same', async () => {
  await using fake = await FakeEngine.start(dir, async (request, response) => {
    for await (const _ of request) continue;
    response.end('{"stream":"Loaded image"}');
  });
  await engineAt(fake.host).load(archive(), opts);
});

describe('an engine that does not take the image is named with what it said:', () => {
  async function failure(answer: FakeEngine['answer']): Promise<BuildError> {
    await using fake = await FakeEngine.start(dir, answer);
    const error: unknown = await engineAt(fake.host)
      .load(archive(), opts)
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(error).toBeInstanceOf(BuildError);
    expect(error).toMatchObject({ code: 'EXPORT_FAILED', message: expect.stringContaining(fake.host) as string });
    return error as BuildError;
  }

  test('a status with a message, before the archive was sent', async () => {
    const error = await failure((_, response) => {
      response.writeHead(500).end('{"message":"layers are not to its liking"}\n');
    });
    expect(error.message).toMatch(/does not take the image: layers are not to its liking$/);
  });

  test('a status without one', async () => {
    const error = await failure((_, response) => void response.writeHead(403, 'Forbidden').end());
    expect(error.message).toMatch(/does not take the image: status 403 Forbidden$/);
  });

  test('a status in the middle of the archive, and no more reading', async () => {
    const error = await failure((request, response) => {
      response.writeContinue();
      request.once('data', () => {
        request.pause();
        response.writeHead(500).end('{"message":"enough"}');
      });
    });
    expect(error.message).toMatch(/does not take the image: enough$/);
  });

  test('an error in the stream, after the archive', async () => {
    const error = await failure(async (request, response) => {
      await readAll(request, response);
      response.write('{"stream":"Loading layer"}\n{"errorDetail":{"message":"write /x: no space left on device"},');
      response.end('"error":"write /x: no space left on device"}\n');
    });
    expect(error.message).toMatch(/no space left on device$/);
    expect(error.hint).toMatch(/^free some space where it keeps its images/);
  });

  test('something that is no JSON', async () => {
    const error = await failure(async (request, response) => {
      await readAll(request, response);
      response.end('<html>welcome</html>');
    });
    expect(error.message).toMatch(/an answer that is no JSON: "<html>welcome<\/html>"$/);
  });

  test('nothing: it hangs up in the middle of the archive', async () => {
    const error = await failure((request, response) => {
      response.writeContinue();
      request.once('data', () => request.socket.destroy());
    });
    expect(error.message).toMatch(/hung up while it was handed the image$/);
    expect(error.cause).toBeInstanceOf(Error);
  });

  test('nothing: it hangs up in the middle of its answer', async () => {
    const error = await failure(async (request, response) => {
      await readAll(request, response);
      response.write('{"stream":"Loaded', () => request.socket.destroy());
    });
    expect(error.message).toMatch(/hung up while it was handed the image$/);
  });
});

test('an archive that cannot be read is no fault of the engine’s', async () => {
  await using fake = await FakeEngine.start(dir, takeAll);
  const corrupt = new BuildError('BLOB_CORRUPT', 'bytes do not hash to their digest');
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield CHUNK;
    throw corrupt;
  }
  await expect(engineAt(fake.host).load(broken(), opts)).rejects.toBe(corrupt);
});

test('an abort ends a load that does not end by itself, and is what is thrown', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  await using fake = await FakeEngine.start(dir, (_, response) => {
    response.writeContinue();
    stop.abort(reason);
  });
  await expect(engineAt(fake.host).load(archive(), { signal: stop.signal })).rejects.toBe(reason);
});

describe('what cannot be used says why:', () => {
  test('nobody listens', async () => {
    expect(await engineAt(`unix://${dir}/none`).fault(opts)).toMatchObject({ code: 'ENOENT' });
  });

  test('some other server', async () => {
    await using fake = await FakeEngine.start(dir);
    fake.isEngine = false;
    expect((await engineAt(fake.host).fault(opts))?.message).toMatch(
      /is no Docker engine: it answers with status 200$/,
    );
  });

  test('what does not speak HTTP', async () => {
    const socket = path.join(dir, 'echo.sock');
    const server = net.createServer((connection) => void connection.pipe(connection).on('error', () => undefined));
    server.listen(socket);
    await once(server, 'listening');
    expect(await engineAt(`unix://${socket}`).fault(opts)).toBeInstanceOf(Error);
    server.close();
  });
});
