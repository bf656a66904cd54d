import type { ByteString } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import { baseOf, dirOf, joinPath } from './entry-path.js';
import { LIST_END, rowAt, TOC_HEAD_BYTES, tocSize } from './saved-toc.js';
import type { TocEntry } from './toc.js';

/** The rows of a serialized table of contents, found by the first name of their paths: there are many, and few are needed. */
export class TocRows {
  readonly #content: Buffer;

  /** Undefined for what `parseToc` would not take, as far as its first line and its end show. */
  static in(content: Buffer): TocRows | undefined {
    const isWhole = content.subarray(-LIST_END.length).toString('latin1') === LIST_END;
    return isWhole && tocSize(content.subarray(0, TOC_HEAD_BYTES)) !== undefined ? new TocRows(content) : undefined;
  }

  private constructor(content: Buffer) {
    this.#content = content;
  }

  /** What a layer has at `top`, a name in its root, and below, with the markers of removal that concern it; in the layer's order. */
  below(top: ByteString): readonly TocEntry[] {
    return this.#rows([
      ...this.#named(OPAQUE),
      ...this.#named(`.wh.${top}`),
      ...this.#named(top),
      ...this.#find(within(top)),
    ]);
  }

  /**
   * What decides what is at `path` in a layer without links to other places, in the layer's order: the entries and markers of it
   * and of the directories it is in, and for each the first entry that shows that it is there. Undefined if it may be one of
   * several names of a file.
   */
  at(path: ByteString): readonly TocEntry[] | undefined {
    if (this.#content.includes(`"linkname":${JSON.stringify(path)}`)) return undefined;
    const places: number[] = [];
    for (let one = path; one !== ''; one = dirOf(one)) {
      const first = this.#content.indexOf(within(one));
      if (first >= 0) places.push(first);
      const dir = dirOf(one);
      const names = [one, joinPath(dir, `.wh.${baseOf(one)}`), joinPath(dir, OPAQUE)];
      for (const name of names) places.push(...this.#named(name));
    }
    const rows = this.#rows(places);
    return rows.some(({ type }) => type === 'hardlink') ? undefined : rows;
  }

  #named(path: ByteString): number[] {
    return this.#find(Buffer.from(`\n[${JSON.stringify(path)},`));
  }

  #rows(places: readonly number[]): readonly TocEntry[] {
    return [...new Set(places)].sort((a, b) => a - b).map((at) => this.#row(at + 1));
  }

  #find(start: Buffer): number[] {
    const found: number[] = [];
    for (let at = this.#content.indexOf(start); at >= 0; at = this.#content.indexOf(start, at + 1)) found.push(at);
    return found;
  }

  #row(at: number): TocEntry {
    const row = rowAt(this.#content, at);
    if (!row) throw new BuildError('STORE_INVALID', 'a table of contents is damaged');
    return row;
  }
}

/** Hides, in its directory, what older layers have there. */
export const OPAQUE = '.wh..wh..opq';

/** As the rows of all that is in a directory begin. */
function within(dir: ByteString): Buffer {
  return Buffer.from(`\n[${JSON.stringify(dir).slice(0, -1)}/`);
}
