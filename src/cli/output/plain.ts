import { unreachable } from '../../base/errors.js';
import type { BuildEvent } from '../../job/events.js';
import type { VertexDigest } from '../../llb/types.js';
import type { Sink } from './sink.js';
import { formatSize } from '../../report/format.js';

interface Shown {
  readonly number: number;
  readonly name: string;
  startedAt: number | undefined;
  /** Text after the last line break of each stream. */
  rest: { stdout: string; stderr: string };
}

/** A line that is longer is written in parts: taking it up again costs as much as it is long. */
const LINE = 16384;
const TRANSFER_EVERY_MS = 2000;
/** Smaller ones are over before they can be read. */
const TRANSFER_WORTH_BYTES = 10_000_000;

/** `--progress=plain`: a line for everything that happens, numbered by vertex, as BuildKit writes it. */
export function plainSink(write: (text: string) => void): Sink {
  const vertices = new Map<VertexDigest, Shown>();
  const names = new Map<VertexDigest, string>();
  const transfers = new Map<string, number>();
  let last: Shown | undefined;

  /** The vertex, announced by its header when another one was heard before. */
  const head = (digest: VertexDigest): Shown => {
    let shown = vertices.get(digest);
    if (!shown) {
      const number = vertices.size + 1;
      shown = { number, name: names.get(digest) ?? digest, startedAt: undefined, rest: { stdout: '', stderr: '' } };
      vertices.set(digest, shown);
    }
    if (last !== shown) write(`${last ? '\n' : ''}#${shown.number} ${shown.name}\n`);
    last = shown;
    return shown;
  };
  const seconds = (shown: Shown, at: number): string => ((at - (shown.startedAt ?? at)) / 1000).toFixed(3);
  const log = (shown: Shown, stream: 'stdout' | 'stderr', text: string, at: number): void => {
    const lines = (shown.rest[stream] + text).split('\n');
    if (lines.at(-1)!.length > LINE) lines.push('');
    shown.rest[stream] = lines.pop()!;
    for (const line of lines) write(`#${shown.number} ${seconds(shown, at)} ${line.replace(/\r$/, '')}\n`);
  };
  const flush = (shown: Shown, at: number): void => {
    for (const stream of ['stdout', 'stderr'] as const) if (shown.rest[stream]) log(shown, stream, '\n', at);
  };

  return {
    event(event: BuildEvent): void {
      switch (event.type) {
        case 'vertex-queued':
          names.set(event.vertex, event.name);
          return;
        case 'vertex-started':
          head(event.vertex).startedAt = event.at;
          return;
        case 'vertex-completed': {
          const shown = head(event.vertex);
          flush(shown, event.at);
          write(`#${shown.number} ${event.cached ? 'CACHED' : `DONE ${seconds(shown, event.at).slice(0, -2)}s`}\n`);
          return;
        }
        case 'vertex-failed': {
          const shown = head(event.vertex);
          flush(shown, event.at);
          write(`#${shown.number} ERROR: ${event.message}\n`);
          return;
        }
        case 'vertex-canceled':
          if (vertices.has(event.vertex)) write(`#${head(event.vertex).number} CANCELED\n`);
          return;
        case 'log':
          log(head(event.vertex), event.stream, event.text, event.at);
          return;
        case 'transfer': {
          if ((event.total ?? event.current) < TRANSFER_WORTH_BYTES) return;
          const before = transfers.get(event.item);
          if (!event.done && before !== undefined && event.at - before < TRANSFER_EVERY_MS) return;
          transfers.set(event.item, event.at);
          const total = event.total === undefined ? '' : ` / ${formatSize(event.total)}`;
          if (before !== undefined || !event.done) {
            write(`-- ${event.item}: ${formatSize(event.current)}${total}${event.done ? ' done' : ''}\n`);
          }
          return;
        }
        case 'notice':
          write(`${event.level === 'warning' ? 'warning: ' : ''}${event.text}\n`);
          return;
        case 'check':
          return; // shown when the build is over
        default:
          unreachable(event);
      }
    },
    close: () => undefined,
  };
}
