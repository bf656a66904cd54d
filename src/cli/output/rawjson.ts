import { unreachable } from '../../base/errors.js';
import { formatRfc3339 } from '../../base/rfc3339.js';
import type { BuildEvent } from '../../job/events.js';
import type { VertexDigest } from '../../llb/types.js';
import { digestOf, type Digest } from '../../oci/digest.js';
import { warningLine } from '../../report/dockerfile/check-text.js';
import type { Sink } from './sink.js';

interface Shown {
  readonly digest: Digest;
  readonly name: string;
  readonly inputs: readonly Digest[];
  started: string | undefined;
}

type Transfer = Extract<BuildEvent, { readonly type: 'transfer' }>;
type Check = Extract<BuildEvent, { readonly type: 'check' }>;

const STREAMS = { stdout: 1, stderr: 2 } as const;
/** As BuildKit limits its own reports. */
const TRANSFER_EVERY_MS = 100;
/** Where BuildKit's readers look for a vertex that was canceled. */
const CANCELED = 'context canceled';
const DOCKERFILE = '[internal] load build definition';
const NOTICES = '[internal] notices';

/**
 * `--progress=rawjson`: a JSON object a line, each a BuildKit `client.SolveStatus`, for programs to read. What belongs
 * to no vertex of the graph, such as a transfer, gets one of its own.
 */
export function rawJsonSink(write: (text: string) => void): Sink {
  const vertices = new Map<VertexDigest, Shown>();
  const extra = new Map<string, Shown>();
  const transfers = new Map<string, { readonly startedAt: number; toldAt: number }>();

  const emit = (status: object): void => write(`${JSON.stringify(status)}\n`);
  const emitVertex = ({ digest, inputs, name, started }: Shown, end: object = {}): void =>
    emit({
      vertexes: [
        { digest, ...(inputs.length > 0 && { inputs }), name, ...(started !== undefined && { started }), ...end },
      ],
    });
  const ended = (vertex: VertexDigest, at: number, how: object): void => {
    const shown = vertices.get(vertex);
    if (!shown) return;
    shown.started ??= formatRfc3339(at);
    emitVertex(shown, { completed: formatRfc3339(at), ...how });
  };
  /** The vertex for something that has none, made when it is first heard of. */
  const own = (name: string, at: number, isOver: boolean): Shown => {
    let shown = extra.get(name);
    if (!shown) {
      shown = { digest: digestOf(name), name, inputs: [], started: formatRfc3339(at) };
      extra.set(name, shown);
      emitVertex(shown, isOver ? { completed: shown.started } : {});
    }
    return shown;
  };
  const transfer = ({ item, current, total, done, at }: Transfer): void => {
    const known = transfers.get(item);
    if (known && !done && at - known.toldAt < TRANSFER_EVERY_MS) return;
    const { startedAt } = known ?? { startedAt: at };
    const shown = own(item, at, false);
    const status = {
      id: item,
      vertex: shown.digest,
      ...(total !== undefined && { total }),
      current,
      timestamp: formatRfc3339(at),
      started: formatRfc3339(startedAt),
      ...(done && { completed: formatRfc3339(at) }),
    };
    emit({ statuses: [status] });
    if (!done) {
      transfers.set(item, { startedAt, toldAt: at });
      return;
    }
    transfers.delete(item);
    extra.delete(item);
    emitVertex(shown, { completed: formatRfc3339(at) });
  };

  return {
    event(event: BuildEvent): void {
      switch (event.type) {
        case 'vertex-queued': {
          const { vertex, name, inputs } = event;
          const shown = { digest: vertex, name, inputs, started: undefined };
          vertices.set(vertex, shown);
          emitVertex(shown);
          return;
        }
        case 'vertex-started': {
          const shown = vertices.get(event.vertex);
          if (!shown) return;
          shown.started = formatRfc3339(event.at);
          emitVertex(shown);
          return;
        }
        case 'vertex-completed':
          ended(event.vertex, event.at, event.cached ? { cached: true } : {});
          return;
        case 'vertex-failed':
          ended(event.vertex, event.at, { error: event.message });
          return;
        case 'vertex-canceled':
          if (vertices.get(event.vertex)?.started !== undefined) ended(event.vertex, event.at, { error: CANCELED });
          return;
        case 'log': {
          const { vertex, text, at } = event;
          const data = Buffer.from(text).toString('base64');
          emit({ logs: [{ vertex, stream: STREAMS[event.stream], data, timestamp: formatRfc3339(at) }] });
          return;
        }
        case 'transfer':
          transfer(event);
          return;
        case 'check':
          emit({ warnings: [warningStatus(own(DOCKERFILE, event.at, true).digest, event)] });
          return;
        case 'notice': {
          const vertex = own(NOTICES, event.at, true).digest;
          const text = event.level === 'warning' ? `warning: ${event.text}` : event.text;
          const data = Buffer.from(`${text}\n`).toString('base64');
          emit({ logs: [{ vertex, stream: STREAMS.stderr, data, timestamp: formatRfc3339(event.at) }] });
          return;
        }
        default:
          unreachable(event);
      }
    },
    close: () => undefined,
  };
}

/** A BuildKit `client.VertexWarning`: texts are bytes, in base64. */
export function warningStatus(vertex: Digest | undefined, check: Omit<Check, 'type' | 'at'>): object {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const { startLine, endLine } = check.range;
  return {
    ...(vertex !== undefined && { vertex }),
    level: 1,
    short: base64(warningLine(check)),
    detail: [base64(check.description)],
    ...(check.url !== '' && { url: check.url }),
    range: [{ start: { line: startLine }, end: { line: endLine } }],
  };
}
