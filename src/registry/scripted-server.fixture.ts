import http, { type IncomingMessage, type RequestListener } from 'node:http';
import https, { type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

/** `cut`: the connection ends without an answer; `silence`: it stays open without one. */
export type Script = (request: SeenRequest, count: number) => ScriptedAnswer | 'cut' | 'silence';

/** A server of HTTP, or of HTTPS with certificates, that does what a test says and keeps what it was asked. */
export class ScriptedServer {
  readonly seen: SeenRequest[] = [];
  /** That were opened so far, whatever came of them. */
  connections = 0;
  /** `host:port`. */
  readonly host: string;
  readonly url: string;
  readonly #server: http.Server | https.Server;

  private constructor(server: http.Server | https.Server, isTls: boolean) {
    this.#server = server;
    server.on('connection', () => this.connections++);
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.url = `${isTls ? 'https' : 'http'}://${this.host}`;
  }

  static async start(script: Script, tls?: ServerOptions): Promise<ScriptedServer> {
    let self: ScriptedServer | undefined;
    const listener: RequestListener = (request, response) => {
      void buffer(request).then(
        (body) => {
          const seen = { method: request.method!, url: request.url!, headers: request.headers, body };
          self!.seen.push(seen);
          const answer = script(seen, self!.seen.length);
          if (answer === 'silence') return;
          if (answer === 'cut') return void request.socket.destroy();
          response.writeHead(answer.status ?? 200, answer.headers as http.OutgoingHttpHeaders).end(answer.body);
        },
        () => undefined, // the client has gone
      );
    };
    const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    self = new ScriptedServer(server, tls !== undefined);
    return self;
  }

  [Symbol.dispose](): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
