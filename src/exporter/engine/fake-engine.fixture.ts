import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { hasCode } from '../../base/errors.js';

/** What a load is answered with; whoever wants to hang up destroys the request's socket. */
export type AnswerLoad = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Something that speaks Docker's API just far enough to be handed an image, on a socket in `dir`. */
export class FakeEngine implements AsyncDisposable {
  readonly host: string;
  /** `METHOD path`, in order. */
  readonly requests: string[] = [];
  /** Tells of itself as an engine does; else as some other server would. */
  isEngine = true;
  answer: AnswerLoad;
  readonly #socket: string;
  readonly #server: http.Server;

  private constructor(dir: string, answer: AnswerLoad) {
    this.#socket = path.join(dir, 'engine.sock');
    this.host = `unix://${this.#socket}`;
    this.answer = answer;
    this.#server = http.createServer((request, response) => void this.#serve(request, response));
    // Without a listener the server would ask for the body by itself, whatever the answer will be.
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      void this.#serve(request, response);
    });
  }

  static async start(dir: string, answer: AnswerLoad = takeAll): Promise<FakeEngine> {
    const engine = new FakeEngine(dir, answer);
    await new Promise<void>((resolve) => engine.#server.listen(engine.#socket, resolve));
    return engine;
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
