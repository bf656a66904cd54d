import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';

/** A proxy for HTTP and, by CONNECT, for HTTPS, that leads every host to one port of this machine. */
export class TestProxy implements AsyncDisposable {
  /** `METHOD target` of each request that came in; for CONNECT the target is `host:port`. */
  readonly requests: string[] = [];
  /** What it wants in `Proxy-Authorization`. */
  authorization: string | undefined;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  readonly #server = http.createServer((request, response) => this.#forward(request, response));

  private constructor(port: number) {
    this.#port = port;
    this.#server.on('connect', (request: IncomingMessage, socket: Socket) => this.#tunnel(request, socket));
    this.#server.on('connection', (socket: Socket) => this.#track(socket));
  }

  static async start(port: number): Promise<TestProxy> {
    const proxy = new TestProxy(port);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** `host:port`. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url}`);
    if (!this.#mayPass(request)) return void response.writeHead(407, { 'proxy-authenticate': 'Basic' }).end();
    const { pathname, search } = new URL(request.url!);
    const { 'proxy-authorization': _, 'proxy-connection': __, ...headers } = request.headers;
    const target = { host: '127.0.0.1', port: this.#port, method: request.method!, path: pathname + search, headers };
    const onward = http.request({ ...target, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  }

  #tunnel(request: IncomingMessage, socket: Socket): void {
    this.requests.push(`CONNECT ${request.url}`);
    socket.on('error', () => undefined); // cut when the test ends
    if (!this.#mayPass(request)) {
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n');
    }
    const onward = net.connect(this.#port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    this.#track(onward);
    onward.on('error', () => socket.destroy());
  }

  #mayPass({ headers }: IncomingMessage): boolean {
    return this.authorization === undefined || headers['proxy-authorization'] === this.authorization;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
