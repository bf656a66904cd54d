import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { hasCode } from '../../base/errors.js';

/** What a load is answered with; whoever wants to hang up destroys the request's socket. */
export type AnswerLoad = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Something that speaks Docker's API just far enough to be handed an image. */
export class FakeEngine implements AsyncDisposable {
  /** As DOCKER_HOST has it. */
  readonly host: string;
  /** `METHOD path`, in order. */
  readonly requests: string[] = [];
  /** Tells of itself as an engine does; else as some other server would. */
  isEngine = true;
  answer: AnswerLoad;
  readonly #server: http.Server;

  private constructor(server: http.Server, host: string, answer: AnswerLoad) {
    this.host = host;
    this.answer = answer;
    this.#server = server;
    const serve = (request: IncomingMessage, response: ServerResponse): void => void this.#serve(request, response);
    // With this listener the server does not ask for the body by itself, whatever the answer will be.
    server.on('request', serve).on('checkContinue', serve);
  }

  /** On a socket in `dir`. */
  static async start(dir: string, answer: AnswerLoad = takeAll): Promise<FakeEngine> {
    const server = http.createServer();
    const socket = path.join(dir, 'engine.sock');
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    return new FakeEngine(server, `unix://${socket}`, answer);
  }

  /** On a port of 127.0.0.1, with these certificates. */
  static async startTls(options: https.ServerOptions, answer: AnswerLoad = takeAll): Promise<FakeEngine> {
    const server = https.createServer(options);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeEngine(server, `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`);
    if (request.url === '/_ping') response.writeHead(200, this.isEngine ? { 'api-version': '1.41' } : {}).end('OK');
    else await Promise.resolve(this.answer(request, response)).catch(ignoreReset);
  }
}

/** Whoever sends an archive may stop, or be stopped. */
function ignoreReset(error: unknown): void {
  if (!hasCode(error, 'ECONNRESET')) throw error;
}

/** Reads an archive to its end. */
export async function readAll(request: IncomingMessage, response: ServerResponse): Promise<Buffer> {
  response.writeContinue();
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export const takeAll: AnswerLoad = async (request, response) => {
  await readAll(request, response);
  response.end('{"stream":"Loaded image: test:latest\\n"}\n');
};
