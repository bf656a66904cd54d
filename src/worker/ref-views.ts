import { closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../base/abort.js';
import { fromText, type ByteString } from '../base/bytes.js';
import type { PackContent } from '../layer/pack.js';
import type { RefView } from '../layer/ref-view.js';
import { PartView, ShapeFinder, type StackShape } from '../layer/part-view.js';
import { parseToc } from '../layer/saved-toc.js';
import type { Toc, TocEntry } from '../layer/toc.js';
import { TocRows } from '../layer/toc-rows.js';
import { TocView, type OpenContent } from '../layer/toc-view.js';
import { isPlainLayer } from '../oci/descriptor.js';
import { digestOf, hexOf } from '../oci/digest.js';
import { facesOf, type LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import type { ContextViews } from './context/context-views.js';
import { EmptyView } from './empty-view.js';
import type { LayerContent } from './layer-content.js';
import type { OpInput, RefId } from './machine.js';
import { RootTimeView } from './root-time-view.js';
import type { Trees } from './trees/types.js';

/** A file system that can be read, whichever face it has, for as long as it is not disposed of. */
export interface OpenView {
  readonly view: RefView;
  /**
   * Where the bytes of a regular file lie on this machine; undefined when they must be read through the view. A promise only
   * where there is something to wait for, since there may be many files.
   */
  locate(path: ByteString): PackContent | undefined | Promise<PackContent | undefined>;
  [Symbol.dispose](): void;
}

export interface OpenOptions extends Cancel {
  /** Milliseconds since 1970: of the root of an image, whose time no layer says. */
  readonly now?: number;
  /** Contents are hardly read, so no layer need be unpacked for them, and no digests of them be known. */
  readonly namesOnly?: boolean;
}

/** Opens what ops read. `trees` is there where trees can be mounted. */
export class RefViews {
  readonly #store: Store;
  readonly #layers: LayerContent;
  readonly #contexts: ContextViews;
  readonly #trees: Trees | undefined;

  constructor(store: Store, layers: LayerContent, contexts: ContextViews, trees: Trees | undefined) {
    this.#store = store;
    this.#layers = layers;
    this.#contexts = contexts;
    this.#trees = trees;
  }

  async open(input: OpInput, opts: OpenOptions): Promise<OpenView> {
    if (input.kind === 'ref') return await this.openRef(input.ref, opts);
    const view = this.#contexts.view(input);
    return {
      view,
      locate: (at) => view.locate(at),
      [Symbol.dispose]: () => undefined,
    };
  }

  /**
   * Through tables of contents where every change has one and its bytes lie plain, or where names will do; else as a mounted
   * tree. Where there are no trees, or they do not show which names are one file, what lies compressed is made plain when it
   * is read.
   */
  async openRef(ref: RefId, opts: OpenOptions): Promise<OpenView> {
    if (ref === null) return { view: new EmptyView(), locate: () => undefined, [Symbol.dispose]: () => undefined };
    const layers = await this.#layersOf(ref);
    const readable = layers?.every((layer) => isPlainLayer(layer.blob.mediaType)) ?? false;
    const made = Math.floor(((await this.#store.refs.load(ref))?.createdAt ?? opts.now ?? 0) / 1000);
    if (layers && (readable || opts.namesOnly || !this.#trees || this.#trees.partsLinks)) {
      return this.#overLayers(layers, made, opts);
    }
    if (!this.#trees) throw new Error(`the ref ${ref} is a tree, and this process cannot mount it`);
    const mounted = await this.#trees.mount(ref, opts);
    const root = fromText(mounted.root);
    return {
      view: layers ? new RootTimeView(mounted.view, made) : mounted.view,
      locate: (at) => ({ kind: 'file', file: `${root}/${at}` }),
      [Symbol.dispose]: () => mounted[Symbol.dispose](),
    };
  }

  async #overLayers(layers: readonly LayerFact[], rootMtime: number, opts: OpenOptions): Promise<OpenView> {
    const open: OpenContent = (index, entry) => this.#fileOf(layers[index]!, entry, opts);
    const view = opts.namesOnly
      ? await this.#names(layers, open, rootMtime, opts)
      : new TocView(await this.#tocs(layers, opts), open, rootMtime);
    return {
      view,
      locate: async (at) => {
        const found = view.locate(at);
        const layer = found && layers[found.layer];
        if (!layer || found.entry.fragments) return undefined;
        const { blob } = await this.#layers.plain(layer, opts);
        const file = fromText(this.#store.blobs.path(blob.digest));
        return { kind: 'range', file, offset: found.entry.dataOffset ?? 0 };
      },
      [Symbol.dispose]: () => undefined,
    };
  }

  async #tocs(layers: readonly LayerFact[], opts: Cancel): Promise<readonly Toc[]> {
    const tocs: Toc[] = [];
    for (const layer of layers) tocs.push(await this.#layers.toc(layer, opts));
    return tocs;
  }

  /** For a few names: of a stack that was seen whole before, no more is looked at than they need. */
  async #names(
    layers: readonly LayerFact[],
    open: OpenContent,
    rootMtime: number,
    opts: Cancel,
  ): Promise<TocView | PartView> {
    const { records } = this.#store;
    const name = stackFact(layers);
    const shape = shapeIn(await records.fact(name), layers.length);
    const tables = shape && (await this.#tables(layers));
    if (tables) {
      const whole = (): TocView => new TocView(tables.map(parseToc), open, rootMtime);
      const rows = tables.map((table) => TocRows.in(table));
      if (rows.every((one) => one !== undefined)) return new PartView(rows, shape, whole, open, rootMtime);
    }
    const found = new ShapeFinder();
    const tocs: Toc[] = [];
    for (const layer of layers) tocs.push(await this.#layers.names(layer, opts));
    const view = new TocView(tocs, open, rootMtime, (...one) => found.note(...one));
    const seen = found.shape(layers.length);
    if (seen) await records.saveFact(name, { layers: layers.map(({ diffId }) => diffId), ...seen });
    return view;
  }

  async #tables(layers: readonly LayerFact[]): Promise<readonly Buffer[] | undefined> {
    const tables: Buffer[] = [];
    for (const layer of layers) {
      const table = await this.#layers.knownTable(layer);
      if (!table) return undefined;
      tables.push(table);
    }
    return tables;
  }

  async *#fileOf(layer: LayerFact, entry: TocEntry, opts: Cancel): AsyncGenerator<Buffer, void, undefined> {
    yield* this.#layers.file(await this.#layers.plain(layer, opts), entry, opts);
  }

  async #layersOf(ref: string): Promise<readonly LayerFact[] | undefined> {
    const layers: LayerFact[] = [];
    for (const record of await this.#store.refs.chain(ref)) {
      const layer = await this.#store.refs.layer(facesOf(record));
      if (!layer) return undefined;
      layers.push(layer);
    }
    return layers;
  }
}

/** Name under which is remembered what was found out about a stack; it goes with the first of its layers that goes. */
function stackFact(layers: readonly LayerFact[]): string {
  return `stack-${hexOf(digestOf(layers.map(({ diffId }) => diffId).join('\n')))}`;
}

function shapeIn(fact: unknown, layers: number): StackShape | undefined {
  const { entangled, tops } = (fact ?? {}) as { readonly entangled?: unknown; readonly tops?: unknown };
  if (!isNames(entangled) || !Array.isArray(tops) || tops.length !== layers) return undefined;
  return tops.every(isNames) ? { entangled, tops } : undefined;
}

function isNames(value: unknown): value is readonly ByteString[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** Where the bytes of a file lie; those that lie nowhere by themselves are written to `scratchDir` first. */
export function contentOf(
  open: OpenView,
  at: ByteString,
  scratchDir: string,
  name: string,
): PackContent | Promise<PackContent> {
  const located = open.locate(at);
  const elsewhere = (): Promise<PackContent> => writeOut(open.view, at, path.join(scratchDir, name));
  return located instanceof Promise ? located.then((found) => found ?? elsewhere()) : (located ?? elsewhere());
}

async function writeOut(view: RefView, at: ByteString, file: string): Promise<PackContent> {
  const fd = openSync(file, 'wx');
  try {
    for await (const chunk of view.open(at)) {
      for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done);
    }
  } finally {
    closeSync(fd);
  }
  return { kind: 'file', file: fromText(file) };
}
