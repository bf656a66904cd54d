/** A request as the registry's access log has it. */
export interface LoggedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  readonly userAgent: string;
}

/** What a `docker-registry` writes: its access log on stdout, messages as JSON on stderr. */
export class RegistryLog {
  messages = '';
  /** The port it listens on, once it has said so. */
  port: number | undefined;
  #requests: LoggedRequest[] = [];
  #rest = '';
  #marks = 0;

  takeAccess(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('utf8')).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const match = /^\S+ - \S+ \[[^\]]*\] "(\S+) (\S+) [^"]*" (\d+) \d+ "[^"]*" "([^"]*)"$/.exec(line);
      if (!match) continue;
      const [, method = '', path = '', status = '', userAgent = ''] = match;
      this.#requests.push({ method, path, status: Number(status), userAgent });
    }
  }

  takeMessages(chunk: Buffer): void {
    this.messages += chunk.toString('utf8');
    const said = /listening on 127\.0\.0\.1:(\d+)/.exec(this.messages);
    if (said) this.port ??= Number(said[1]);
  }

  /** What a request must have in its query to be known again in the log. */
  newMark(): string {
    return `mark=${++this.#marks}`;
  }

  has(mark: string): boolean {
    return this.#requests.some(({ path }) => path.endsWith(`?${mark}`));
  }

  /** What came before the request with this mark; forgets it. */
  take(mark: string): readonly LoggedRequest[] {
    const end = this.#requests.findIndex(({ path }) => path.endsWith(`?${mark}`));
    const before = this.#requests.slice(0, end);
    this.#requests = this.#requests.slice(end + 1);
    return before;
  }
}

/** Digests of the blobs that were sent to a repository, in part or whole: uploads that were completed. */
export function sentBlobs(requests: readonly LoggedRequest[]): readonly string[] {
  return requests
    .filter(({ method, path, status }) => method === 'PUT' && status === 201 && path.includes('/blobs/uploads/'))
    .map(({ path }) => new URL(path, 'http://registry').searchParams.get('digest') ?? 'none');
}

/** Digests of the blobs that the registry took over from another repository of its own, without a byte being sent. */
export function mountedBlobs(requests: readonly LoggedRequest[]): readonly string[] {
  return requests
    .filter(({ method, status }) => method === 'POST' && status === 201)
    .flatMap(({ path }) => new URL(path, 'http://registry').searchParams.get('mount') ?? []);
}

/** Tags and digests under which manifests were put. */
export function putManifests(requests: readonly LoggedRequest[]): readonly string[] {
  return requests
    .filter(({ method, status }) => method === 'PUT' && status === 201)
    .flatMap(({ path }) => /\/manifests\/([^?]+)$/.exec(path)?.[1] ?? []);
}
