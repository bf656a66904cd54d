import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';

export interface Cut {
  /** Bytes that pass in this direction before the connection is cut. */
  readonly after: number;
  readonly direction: 'up' | 'down';
}

/** Passes connections on to a port of this machine, and cuts them as it is told. */
export class CuttingRelay implements AsyncDisposable {
  /** Used up one by one, each by the first connection that gets so far. */
  readonly cuts: Cut[] = [];
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  readonly #server = net.createServer((client) => this.#pass(client));

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(port: number): Promise<CuttingRelay> {
    const relay = new CuttingRelay(port);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
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

  #pass(client: Socket): void {
    const server = net.connect(this.#port, '127.0.0.1');
    this.#forward(client, server, 'up');
    this.#forward(server, client, 'down');
  }

  #forward(from: Socket, to: Socket, direction: Cut['direction']): void {
    let passed = 0;
    this.#sockets.add(from);
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      to.end();
    });
    from.on('data', (chunk: Buffer) => {
      passed += chunk.length;
      const [cut] = this.cuts;
      if (cut?.direction === direction && passed > cut.after) {
        this.cuts.shift();
        // What has passed arrives; then there is silence from here.
        to.end(chunk.subarray(0, Math.max(0, chunk.length - (passed - cut.after))));
        return void from.destroy();
      }
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
  }
}
