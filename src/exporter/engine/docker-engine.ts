import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { once } from 'node:events';
import { childSignal, type Cancel } from '../../base/abort.js';
import { BuildError } from '../../base/errors.js';
import { ArchiveBody } from './archive-body.js';
import type { DockerEndpoint } from './docker-endpoint.js';
import { readLoadAnswer } from './load-answer.js';
import type { ContainerEngine } from './types.js';

/** How long an engine may take for a word of its own. A load may take as long as it wants. */
const PING_MS = 10_000;
/** An engine says that it wants the archive before it is sent; one that does not say so gets it after this time. */
const CONTINUE_MS = 2000;

/** Docker's engine, or another that speaks its API. */
export class DockerEngine implements ContainerEngine {
  readonly archive = 'layout-too';
  readonly name: string;
  readonly #endpoint: DockerEndpoint;

  constructor(endpoint: DockerEndpoint) {
    this.#endpoint = endpoint;
    this.name = `the Docker engine at \`${endpoint.url}\``;
  }

  /** Why it cannot be used; undefined when it answers as an engine does. */
  async fault(opts: Cancel): Promise<Error | undefined> {
    const { signal, abort } = childSignal(opts.signal);
    const late = setTimeout(() => abort(new Error(`no answer for ${PING_MS / 1000} seconds`)), PING_MS);
    try {
      const request = this.#request('GET', '/_ping', signal).end();
      const answer = await answerOf(request);
      request.destroy();
      if (answer.statusCode === 200 && answer.headers['api-version'] !== undefined) return undefined;
      return new Error(`what listens there is no Docker engine: it answers with status ${answer.statusCode}`);
    } catch (error) {
      opts.signal.throwIfAborted();
      return (signal.aborted ? signal.reason : error) as Error;
    } finally {
      clearTimeout(late);
    }
  }

  async load(archive: AsyncIterable<Uint8Array>, { signal }: Cancel): Promise<void> {
    const body = new ArchiveBody(archive);
    const request = this.#request('POST', '/images/load?quiet=1', signal, {
      'content-type': 'application/x-tar',
      'transfer-encoding': 'chunked',
      expect: '100-continue',
    });
    try {
      const refusal = await send(body, request, (answer) => readLoadAnswer(answer));
      if (refusal !== undefined) throw this.#refused(refusal);
    } catch (error) {
      signal.throwIfAborted();
      body.throwIfFailed();
      if (error instanceof BuildError) throw error;
      throw new BuildError('EXPORT_FAILED', `${this.name} hung up while it was handed the image`, {
        hint: `its log says more; ${TRY_AGAIN}`,
        cause: error,
      });
    } finally {
      request.destroy();
    }
  }

  #refused(message: string): BuildError {
    const isFull = /no space left|disk quota exceeded/i.test(message);
    return new BuildError('EXPORT_FAILED', `${this.name} does not take the image: ${message}`, {
      hint: `${isFull ? 'free some space where it keeps its images' : 'its log may say more'}; ${TRY_AGAIN}`,
    });
  }

  #request(
    method: string,
    path: string,
    signal: AbortSignal,
    headers: Readonly<Record<string, string>> = {},
  ): ClientRequest {
    const { address, tls } = this.#endpoint;
    // Over TCP the header is what the certificate must be for.
    const named = 'socketPath' in address ? { host: 'docker', ...headers } : headers;
    const options = { ...address, method, path, signal, headers: named, agent: false };
    const { verify, ...identity } = tls ?? { verify: true };
    const request = tls
      ? https.request({ ...options, ...identity, rejectUnauthorized: verify })
      : http.request(options);
    // Whoever waits for the answer hears of the first error; a destroyed request may have more of them.
    return request.on('error', () => undefined);
  }
}

const TRY_AGAIN = 'what was built is in the cache, so the next build only hands it over';

/**
 * Sends a body as fast as it is taken, and stops when the answer is complete before that. Gives what `read` makes of the
 * answer. The answer to a request that is refused at once arrives, since nothing is sent before it is asked for.
 */
async function send<T>(
  body: AsyncIterable<Uint8Array>,
  request: ClientRequest,
  read: (answer: IncomingMessage) => Promise<T>,
): Promise<T> {
  const reading = answerOf(request).then(read);
  let isOver = false;
  const over = reading.then(
    () => void (isOver = true),
    () => void (isOver = true),
  );
  request.flushHeaders();
  await Promise.race([wanted(request), over]);
  if (!isOver) {
    for await (const chunk of body) {
      if (!request.write(chunk)) await Promise.race([new Promise((resolve) => request.once('drain', resolve)), over]);
      if (isOver) break;
    }
    if (!isOver) request.end();
  }
  return await reading;
}

async function wanted(request: ClientRequest): Promise<void> {
  await new Promise<void>((resolve) => {
    const late = setTimeout(resolve, CONTINUE_MS);
    request.once('continue', resolve).once('close', resolve);
    request.once('continue', () => clearTimeout(late)).once('close', () => clearTimeout(late));
  });
}

async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return answer;
}
