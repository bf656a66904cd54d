import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

/** What a case has served: by path, below the case's own. */
export type HttpFiles = Readonly<
  Record<
    string,
    {
      readonly content?: string;
      /** Path in the case. */
      readonly file?: string;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  >
>;

const MARK = '{{HTTP}}';

/** Serves the files of all cases at `http://HOST:PORT/<case name>`. */
export class HttpCases {
  readonly #cases = new Map<string, { readonly files: HttpFiles; readonly dir: string }>();
  readonly #server = http.createServer((request, response) => this.#answer(request, response));

  static async start(): Promise<HttpCases> {
    const cases = new HttpCases();
    await new Promise<void>((resolve) => cases.#server.listen(0, '127.0.0.1', resolve));
    return cases;
  }

  add(name: string, files: HttpFiles, dir: string): void {
    this.#cases.set(name, { files, dir });
  }

  /** The text with the address of the case in place of the mark. */
  fill(name: string, text: string): string {
    return text.replaceAll(MARK, this.#address(name));
  }

  /** The reverse of `fill`. */
  unfill(name: string, text: string): string {
    return text.replaceAll(this.#address(name), MARK);
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #address(name: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${name}`;
  }

  #answer({ url = '' }: http.IncomingMessage, response: http.ServerResponse): void {
    const [, name = '', at = ''] = /^\/([^/]*)(\/.*)?$/.exec(url) ?? [];
    const one = this.#cases.get(name);
    const file = one?.files[at];
    if (!one || !file) {
      response.writeHead(404).end('not found');
      return;
    }
    const body = file.file === undefined ? (file.content ?? '') : readFileSync(path.join(one.dir, file.file));
    response.writeHead(file.status ?? 200, file.headers).end(body);
  }
}
