/** One request as the fake registry saw it. */
export interface SeenRequest {
  readonly method: string;
  /** Below `/v2/`, without the query. */
  readonly path: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Bytes of the body that arrived. */
  bodyBytes: number;
  /** Of the answer; 0 when there was none. */
  status: number;
}

export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** How a fake registry misbehaves, and at which requests. */
export interface Fault {
  /** `GET`, or any method. */
  readonly method?: string;
  /** Found anywhere in the path below `/v2/`. */
  readonly path?: string | RegExp;
  /** Requests that suit and are let through before the first one that is hit. */
  readonly after?: number;
  /** Requests that are hit; all by default. */
  readonly times?: number;
  /** Answered, or not, without a look at what was asked. */
  readonly instead?: FakeAnswer | 'silence' | 'cut' | ((request: SeenRequest) => FakeAnswer | undefined);
  /** Bytes of the request's body that are taken in before the connection is cut. */
  readonly cutRequestAt?: number;
  /** Done as asked; then the connection is cut in place of an answer. */
  readonly cutAnswer?: true;
  /** Bytes of the answer's body before the connection is cut. */
  readonly cutAnswerAt?: number;
  /** Bytes of the answer's body after which nothing more comes. */
  readonly stallAnswerAt?: number;
  readonly change?: (answer: FakeAnswer, request: SeenRequest) => FakeAnswer;
  /** The answer's body goes out in so many pieces, a moment between them. */
  readonly trickle?: number;
  readonly delayMs?: number;
  readonly meanwhile?: () => void;
}

/** Counts what each fault has hit. */
export class Faults {
  readonly #list: { readonly fault: Fault; seen: number }[] = [];

  add(fault: Fault): void {
    this.#list.push({ fault, seen: 0 });
  }

  /** The first fault that hits this request. */
  hit({ method, path }: Pick<SeenRequest, 'method' | 'path'>): Fault | undefined {
    for (const one of this.#list) {
      const { fault } = one;
      if (fault.method !== undefined && fault.method !== method) continue;
      if (typeof fault.path === 'string' ? !path.includes(fault.path) : fault.path && !fault.path.test(path)) continue;
      const turn = one.seen++;
      const { after = 0, times = Infinity } = fault;
      if (turn < after || turn >= after + times) continue;
      fault.meanwhile?.();
      return fault;
    }
    return undefined;
  }
}
