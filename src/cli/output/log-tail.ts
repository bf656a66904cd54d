import type { BuildEvent } from '../../job/events.js';
import type { VertexDigest } from '../../llb/types.js';

const LINES = 20;
/** Of a line that does not end, the last characters: taking a line up again costs as much as it is long. */
const LINE = 4096;

/** Keeps the last lines of each vertex's output, to show them under an error. */
export class LogTail {
  readonly #names = new Map<VertexDigest, string>();
  readonly #lines = new Map<VertexDigest, string[]>();
  #failed: VertexDigest | undefined;

  event(event: BuildEvent): void {
    if (event.type === 'vertex-queued') this.#names.set(event.vertex, event.name);
    if (event.type === 'vertex-failed') this.#failed ??= event.vertex;
    if (event.type !== 'log') return;
    const before = this.#lines.get(event.vertex) ?? [''];
    const added = event.text.split('\n');
    const lines = [...before.slice(0, -1), before.at(-1)! + added[0]!, ...added.slice(1)].map((line) =>
      line.slice(-LINE),
    );
    this.#lines.set(event.vertex, lines.slice(-LINES - 1));
  }

  /** What the failed vertex said last; '' when nothing failed in a vertex, or it was silent. */
  text(): string {
    const lines = this.#failed && this.#lines.get(this.#failed)?.filter((line, i, all) => line || i < all.length - 1);
    if (!lines || lines.length === 0) return '';
    return `------\n > ${this.#names.get(this.#failed!)}:\n${lines.join('\n')}\n------\n`;
  }
}
