import { stripVTControlCharacters } from 'node:util';
import { unreachable } from '../../base/errors.js';
import type { BuildEvent } from '../../job/events.js';
import type { VertexDigest } from '../../llb/types.js';
import { formatDuration, formatSize } from '../../report/format.js';
import type { Sink } from './sink.js';
import { style } from './style.js';

interface Running {
  readonly name: string;
  readonly startedAt: number;
  lines: string[];
  rest: string;
}

const REDRAW_MS = 100;
const LOG_LINES = 6;
/** Of a line that does not end, the last characters: taking a line up again costs as much as it is long. */
const LINE = 4096;

/** A terminal: finished vertices scroll by, the running ones are redrawn below with the last lines of their output. */
export function ttySink(out: NodeJS.WriteStream): Sink {
  const names = new Map<VertexDigest, string>();
  const running = new Map<VertexDigest, Running>();
  const transfers = new Map<string, { current: number; total: number | undefined }>();
  let drawn = 0;
  let cached = 0;
  let done = 0;

  const erase = (): void => {
    if (drawn > 0) out.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const fit = (line: string): string => line.slice(0, Math.max(20, out.columns || 80) - 1);
  const draw = (): void => {
    const now = Date.now();
    const lines = [fit(`[+] ${done + cached}/${names.size} done, ${cached} cached`)];
    for (const [item, { current, total }] of transfers) {
      lines.push(fit(` => ${item} ${formatSize(current)}${total === undefined ? '' : ` / ${formatSize(total)}`}`));
    }
    for (const one of running.values()) {
      lines.push(style('bold', fit(` => ${one.name}  ${formatDuration(now - one.startedAt)}`)));
      for (const line of one.lines) lines.push(style('dim', fit(`    ${line}`)));
    }
    const shown = lines.slice(0, Math.max(5, (out.rows || 24) - 2));
    erase();
    out.write(`${shown.join('\n')}\n`);
    drawn = shown.length;
  };
  const above = (line: string): void => {
    erase();
    out.write(`${fit(line)}\n`);
    draw();
  };
  const timer = setInterval(draw, REDRAW_MS);
  timer.unref();

  return {
    event(event: BuildEvent): void {
      switch (event.type) {
        case 'vertex-queued':
          names.set(event.vertex, event.name);
          return;
        case 'vertex-started':
          running.set(event.vertex, { name: names.get(event.vertex)!, startedAt: event.at, lines: [], rest: '' });
          return;
        case 'vertex-completed': {
          const time = event.at - (running.get(event.vertex)?.startedAt ?? event.at);
          running.delete(event.vertex);
          if (event.cached) cached++;
          else done++;
          above(
            ` => ${event.cached ? 'CACHED ' : ''}${names.get(event.vertex)}${event.cached ? '' : `  ${formatDuration(time)}`}`,
          );
          return;
        }
        case 'vertex-failed':
          running.delete(event.vertex);
          above(` => ERROR ${names.get(event.vertex)}`);
          return;
        case 'vertex-canceled':
          running.delete(event.vertex);
          return;
        case 'log': {
          const one = running.get(event.vertex);
          if (!one) return;
          const lines = (one.rest + stripVTControlCharacters(event.text)).split(/\r?\n|\r/);
          one.rest = lines.pop()!.slice(-LINE);
          one.lines = [...one.lines, ...lines].slice(-LOG_LINES);
          return;
        }
        case 'transfer':
          if (event.done) transfers.delete(event.item);
          else transfers.set(event.item, { current: event.current, total: event.total });
          return;
        case 'notice':
          above(event.level === 'warning' ? `warning: ${event.text}` : event.text);
          return;
        case 'check':
          return; // shown when the build is over
        default:
          unreachable(event);
      }
    },
    close(): void {
      clearInterval(timer);
      erase();
    },
  };
}
