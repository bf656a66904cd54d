import type { ByteString } from '../base/bytes.js';
import type { Digest } from '../oci/digest.js';
import type { Applied } from './apply-entry.js';
import { dirOf, joinPath } from './entry-path.js';
import type { Entry } from './entry.js';
import type { RefView, ViewEntry } from './ref-view.js';
import type { TocEntry } from './toc.js';
import { OPAQUE, type TocRows } from './toc-rows.js';
import { TocView, type OpenContent } from './toc-view.js';

/** More names than this are not worth to be remembered. */
const MAX_NAMES = 2000;

/** What is known of a stack of layers that was seen whole. */
export interface StackShape {
  /** Names in the root below which things depend on what is below others. */
  readonly entangled: readonly ByteString[];
  /** For each layer, lowest first, the names with which its paths begin. */
  readonly tops: readonly (readonly ByteString[])[];
}

/**
 * Finds out which names in the root of a stack depend on each other: entries that reach from one below the other, by a link
 * that was followed or a hard link. What is below any other name comes of the entries that begin with it, and of no others.
 */
export class ShapeFinder {
  readonly #entangled = new Set<ByteString>();
  readonly #tops: Set<ByteString>[] = [];
  #isAll = false;

  /** To be called for every entry of the stack, with what it did. `layers`: how many there are. */
  note(layer: number, entry: Entry, applied: Applied): void {
    const tops = (this.#tops[layer] ??= new Set());
    if (tops.size <= MAX_NAMES) tops.add(topOf(entry.path));
    if (applied.kind === 'ignored') return;
    const dir = applied.dirs.at(-1)!.path;
    if (dir !== dirOf(entry.path)) this.#reached(entry.path, applied, dir);
    if (applied.kind !== 'placed' || !applied.target) return;
    const { linkname = '' } = entry;
    const { path } = applied.target;
    const at = applied.node.path;
    if (path !== linkname || topOf(path) !== topOf(at)) this.#add(entry.path, linkname, path, at);
  }

  /** Of a stack of so many layers. Undefined when there are very many names, or all of them are entangled. */
  shape(layers: number): StackShape | undefined {
    const tops = Array.from({ length: layers }, (_, i) => [...(this.#tops[i] ?? [])]);
    const isLarge = [...tops.map(({ length }) => length), this.#entangled.size].some((count) => count > MAX_NAMES);
    return this.#isAll || isLarge ? undefined : { entangled: [...this.#entangled], tops };
  }

  /** By a link that was followed on the way to `dir`. */
  #reached(path: ByteString, applied: Exclude<Applied, { kind: 'ignored' }>, dir: ByteString): void {
    if (applied.kind === 'placed') this.#add(path, applied.node.path);
    else if (applied.kind === 'removed') this.#add(path, joinPath(dir, applied.name));
    else if (dir === '') this.#isAll = true;
    else this.#add(path, dir);
  }

  #add(...paths: readonly ByteString[]): void {
    for (const path of paths) this.#entangled.add(topOf(path));
  }
}

/**
 * A `TocView` that looks at what is below a name in the root when that is asked for. Only for a stack of which a whole one was
 * made before: that has found out that its layers fit together, and its shape.
 */
export class PartView implements RefView {
  readonly #layers: readonly TocRows[];
  readonly #entangled: ReadonlySet<ByteString>;
  readonly #tops: readonly ReadonlySet<ByteString>[];
  readonly #wholeView: () => TocView;
  readonly #open: OpenContent;
  readonly #root: TocView;
  readonly #parts = new Map<ByteString, TocView>();
  readonly #places = new Map<ByteString, TocView>();
  #whole: TocView | undefined;

  /** `layers`: lowest first. `whole`: makes the view of all of them. `open`, `rootMtime`: as for `TocView`. */
  constructor(
    layers: readonly TocRows[],
    { entangled, tops }: StackShape,
    whole: () => TocView,
    open: OpenContent,
    rootMtime: number,
  ) {
    this.#layers = layers;
    this.#entangled = new Set(entangled);
    this.#tops = tops.map((names) => new Set(names));
    this.#wholeView = whole;
    this.#open = open;
    this.#root = new TocView([], open, rootMtime);
  }

  lstat(path: ByteString): ViewEntry | undefined {
    if (path === '') return this.#root.lstat('');
    const view = this.#placeOf(path) ?? this.#viewOf(path);
    const entry = view.lstat(path);
    if (entry?.inode === undefined || view === this.#whole) return entry;
    return { ...entry, inode: `${topOf(path)}/${entry.inode}` }; // each part counts for itself
  }

  locate(path: ByteString): ReturnType<TocView['locate']> {
    return this.#viewOf(path).locate(path);
  }

  list(path: ByteString): readonly ByteString[] | undefined {
    if (path !== '' && this.lstat(path)?.type !== 'dir') return undefined;
    return this.#viewOf(path).list(path);
  }

  async readFile(path: ByteString, maxBytes: number): Promise<Buffer | undefined> {
    return await this.#viewOf(path).readFile(path, maxBytes);
  }

  open(path: ByteString): AsyncIterable<Buffer> {
    return this.#viewOf(path).open(path);
  }

  contentDigest(path: ByteString): Digest | Promise<Digest> {
    return this.#viewOf(path).contentDigest(path);
  }

  knownDigest(path: ByteString): Digest | undefined {
    return this.#viewOf(path).knownDigest(path);
  }

  /** A view that knows what is at `path`; undefined where that takes more. */
  #placeOf(path: ByteString): TocView | undefined {
    const top = topOf(path);
    const known = this.#places.get(path) ?? this.#parts.get(top);
    if (known || this.#isWhole(top)) return known;
    const layers: { readonly entries: readonly TocEntry[] }[] = [];
    for (const rows of this.#rowsOf(top)) {
      const entries = rows?.at(path) ?? (rows ? undefined : []);
      if (!entries) return undefined;
      layers.push({ entries });
    }
    const view = new TocView(layers, this.#open);
    this.#places.set(path, view);
    return view;
  }

  #viewOf(path: ByteString): TocView {
    const top = topOf(path);
    if (path === '' || this.#isWhole(top)) return (this.#whole ??= this.#wholeView());
    let part = this.#parts.get(top);
    if (!part) {
      const layers = this.#rowsOf(top).map((rows) => ({ entries: rows?.below(top) ?? [] }));
      this.#parts.set(top, (part = new TocView(layers, this.#open)));
    }
    return part;
  }

  #isWhole(top: ByteString): boolean {
    return this.#entangled.has(top) || top.startsWith('.wh.');
  }

  /** The layers that have anything to say of a name in the root. */
  #rowsOf(top: ByteString): readonly (TocRows | undefined)[] {
    const names = [top, `.wh.${top}`, OPAQUE];
    return this.#layers.map((rows, i) => (names.some((name) => this.#tops[i]!.has(name)) ? rows : undefined));
  }
}

function topOf(path: ByteString): ByteString {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
}
