import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { fromText, toText } from '../../base/bytes.js';
import { OnceMap } from '../../base/once-map.js';
import type { RefView } from '../../layer/ref-view.js';
import type { Digests, Toc, TocEntry } from '../../layer/toc.js';
import { TocView } from '../../layer/toc-view.js';
import { LayerUnpacker } from '../../layer/unpack.js';
import { copyTree } from '../../snapshot/copy-tree.js';
import { TreeView } from '../../snapshot/tree-view.js';
import { withPassingLock } from '../../store/lock.js';
import type { LayerFact, TreeDialect, TreeFact } from '../../store/refs.js';
import type { Store } from '../../store/store.js';
import type { TarSink } from '../../layer/tar-reader.js';
import { EmptyView } from '../empty-view.js';
import type { LayerContent, ReadOptions } from '../layer-content.js';
import { UnpackReport } from '../unpack-report.js';
import type { ComingLayer, Progress, RefId } from '../machine.js';
import { layerOf } from './layer-of.js';
import { LayeredView } from './layered-view.js';
import { packUpper } from './pack-upper.js';
import { RecordedOwners } from './recorded-owners.js';
import type { ActiveStack, Stack, Stacking } from './stacking.js';
import { TreeFolder } from './tree-folder.js';
import { TreesAhead, type UnpackedTree } from './trees-ahead.js';
import type { ActiveTree, Mounted, Trees } from './types.js';

export interface StackedTreesOptions {
  readonly store: Store;
  readonly layers: LayerContent;
  /** What the trees are kept as. */
  readonly dialect: TreeDialect;
  readonly stacking: Stacking;
  /** Whether a change gets its layer when it is committed (`keepsLayers`). */
  readonly keepsLayers: boolean;
  /** 'recorded' where the disk can have one owner only: beside the files, and in the layers that are kept then. */
  readonly owners: 'on-disk' | 'recorded';
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/**
 * The trees of the store, for a process with its own mount namespace: unpacked from layers when first needed, and
 * stacked. Unfinished ones lie in the job's work folder; a rename makes them trees.
 */
export class StackedTrees implements Trees {
  readonly partsLinks: boolean;
  readonly #store: Store;
  readonly #layers: LayerContent;
  readonly #dialect: TreeDialect;
  readonly #folder: TreeFolder;
  readonly #stacking: Stacking;
  readonly #keepsLayers: boolean;
  readonly #onProgress: (progress: Progress) => void;
  readonly #owners: StackedTreesOptions['owners'];
  /** The refs whose changes trees are, as far as they were asked for. */
  readonly #refs = new Map<string, string>();
  /** Of refs, as far as they were found: stacked trees stay as long as the job holds what is made of them. */
  readonly #facts = new Map<string, TreeFact>();
  /** Trees without the device nodes that their layers have. */
  readonly #lackDevices = new Set<string>();
  readonly #unpacking = new OnceMap<string, TreeFact>();
  readonly #ahead: TreesAhead;
  readonly changesOf: Trees['changesOf'];

  constructor({ store, layers, dialect, stacking, keepsLayers, owners, onProgress }: StackedTreesOptions) {
    this.#store = store;
    this.#folder = new TreeFolder(store);
    this.#onProgress = onProgress ?? (() => undefined);
    this.#layers = layers;
    this.#dialect = dialect;
    this.#stacking = stacking;
    this.partsLinks = stacking.partsLinks;
    this.#keepsLayers = keepsLayers;
    this.#owners = owners;
    if (stacking.marks !== 'fuse' && owners === 'on-disk') this.changesOf = (...args) => this.#changesOf(...args);
    this.#ahead = new TreesAhead({
      known: (ref) => store.refs.treeFact(ref, dialect),
      workDir: () => this.workDir(),
      unpack: (...args) => this.#unpackInto((...some) => layers.readGrowing(...some), ...args),
      nameOf: (dir) => this.#relative(dir),
    });
  }

  /** Names of the trees that make up a ref, lowest first. */
  async ensure(ref: RefId, opts: Cancel): Promise<readonly string[]> {
    if (ref === null) return [];
    const chain = await this.#store.refs.chain(ref);
    const trees: string[] = [];
    for (const { id, faces } of chain) {
      if (faces !== undefined) {
        trees.push((await this.ensure(faces, opts)).at(-1)!);
        continue;
      }
      const below = [...trees];
      const fact = await this.#unpacking.run(id, opts.signal, (signal) => this.#ensureOne(id, below, { signal }));
      this.#refs.set(fact.tree, id);
      if (fact.lacksDevices) this.#lackDevices.add(fact.tree);
      trees.push(fact.tree);
    }
    return trees;
  }

  async #ensureOne(id: string, below: readonly string[], opts: Cancel): Promise<TreeFact> {
    const { paths, refs } = this.#store;
    const known = this.#facts.get(id) ?? (await refs.treeFact(id, this.#dialect));
    if (known !== undefined) this.#facts.set(id, known);
    if (known !== undefined) return known;
    const lock = paths.lock(`tree-${id}-${this.#dialect}`);
    return await withPassingLock(lock, opts.signal, () => this.#unpack(id, below, opts));
  }

  /** Under the lock of the tree, since nothing would ever refer to a second one. */
  async #unpack(id: string, below: readonly string[], opts: Cancel): Promise<TreeFact> {
    const { refs } = this.#store;
    const known = await refs.treeFact(id, this.#dialect); // maybe another process was first
    if (known !== undefined) return known;
    using ahead = await this.#ahead.take(id);
    if (ahead && (await ahead.found.keep())) return await this.#keep(id, ahead.dir, ahead);
    const layer = await layerOf(id, refs);
    using work = this.workDir();
    const unpacked = await this.#unpackInto((...some) => this.#layers.read(...some), work.dir, layer, below, opts);
    return await this.#keep(id, unpacked.dir, unpacked);
  }

  async #keep(id: string, dir: string, { lacksDevices }: { readonly lacksDevices: boolean }): Promise<TreeFact> {
    const tree = this.#folder.keep(dir);
    await this.#store.refs.saveTree(id, this.#dialect, tree, { lacksDevices });
    return { tree, lacksDevices };
  }

  /** Makes what a layer changes over the trees `below`, as a directory in `workDir`. */
  async #unpackInto<T>(
    read: (layer: LayerFact, sink: TarSink, opts: ReadOptions) => Promise<T>,
    workDir: string,
    layer: LayerFact,
    below: readonly string[],
    opts: Cancel,
  ): Promise<UnpackedTree<T>> {
    const dir = path.join(workDir, 'u');
    mkdirSync(dir);
    using lower = await this.#mount(below, opts);
    using unpacker = this.#unpacker(dir, lower, below);
    const report = new UnpackReport(layer, this.#onProgress);
    const digests = this.#digests;
    const found = await read(layer, unpacker, { ...opts, digests, onProgress: report.update });
    report.end();
    const lacksDevices = unpacker.finish().skippedDevices.length > 0;
    this.#stacking.prepare(dir, opts);
    return { dir, lacksDevices, found };
  }

  async #changesOf(ref: string, opts: Cancel): Promise<string> {
    return this.path((await this.ensure(ref, opts)).at(-1)!);
  }

  /** Not where what trees show depends on layers, which are not there yet. */
  async unpackAhead(layers: readonly ComingLayer[], opts: Cancel): Promise<void> {
    if (this.#owners === 'on-disk') await this.#ahead.make(layers, opts);
  }

  async write(
    id: string,
    parent: RefId,
    write: (sink: TarSink) => void,
    opts: Cancel,
  ): Promise<{ needsLayer: boolean }> {
    const below = await this.ensure(parent, opts);
    using work = this.workDir();
    const target = path.join(work.dir, 'u');
    mkdirSync(target);
    using lower = await this.#mount(below, opts);
    using unpacker = this.#unpacker(target, lower, below);
    write(unpacker);
    const lacksDevices = unpacker.finish().skippedDevices.length > 0;
    await this.#store.refs.saveTree(id, this.#dialect, this.#folder.keep(target), { lacksDevices });
    return { needsLayer: this.#keepsLayers || lacksDevices };
  }

  async pack(ref: string, opts: Cancel): Promise<void> {
    const { refs } = this.#store;
    if (await refs.layer(ref)) return;
    const all = await this.ensure(ref, opts);
    using lower = await this.#mount(all.slice(0, -1), opts);
    await this.#pack(ref, this.path(all.at(-1)!), lower, all.slice(0, -1), opts);
  }

  async #pack(ref: string, upper: string, lower: Mounted, below: readonly string[], opts: Cancel): Promise<void> {
    const marks = this.#stacking.marks === 'fuse' ? 'names' : 'overlay';
    const layer = await packUpper(fromText(upper), lower.view, this.#store, this.#layers, {
      ...opts,
      marks,
      ...(this.#owners === 'recorded' && { owners: new RecordedOwners(lower.view, await this.#tocs(below, opts)) }),
    });
    await this.#store.refs.saveLayer(ref, layer);
  }

  /** Writes layers' entries into a new tree over `lower`, which shows the trees `below`. */
  #unpacker(target: string, lower: Mounted, below: readonly string[]): LayerUnpacker {
    return new LayerUnpacker(fromText(target), {
      dialect: this.#stacking.marks,
      owners: this.#owners === 'recorded' ? 'record' : 'keep',
      lower: lower.view,
      lowerDirs: [...below].reverse().map((tree) => fromText(this.path(tree))),
    });
  }

  path(tree: string): string {
    return this.#folder.path(tree);
  }

  workDir(): { readonly dir: string; [Symbol.dispose](): void } {
    return this.#folder.workDir();
  }

  async mount(ref: RefId, opts: Cancel): Promise<Mounted> {
    return await this.#mount(await this.ensure(ref, opts), opts);
  }

  /** Mounts trees read-only, lowest first; none is an empty file system. */
  async #mount(trees: readonly string[], opts: Cancel): Promise<Mounted> {
    if (trees.length === 0) return { root: '/var/empty', view: new EmptyView(), [Symbol.dispose]: () => undefined };
    const work = this.workDir();
    const root = path.join(work.dir, 'm');
    let stack: Stack;
    let layers: RefView | undefined;
    try {
      mkdirSync(root);
      if (this.#goByLayers(trees)) layers = new TocView(await this.#tocs(trees, opts), refuseContent);
      const lowers = await this.#bounded(highestOnly(trees), work.dir, opts);
      stack = await this.#stacking.view(lowers, this.#relative(root), opts);
    } catch (error) {
      work[Symbol.dispose]();
      throw error;
    }
    const tree = new TreeView(fromText(root));
    return {
      root,
      view: layers ? new LayeredView(tree, layers) : tree,
      [Symbol.dispose]: () => {
        stack[Symbol.dispose]();
        work[Symbol.dispose]();
      },
    };
  }

  /** What is asked of tables where contents are not read from trees, or compared by them. */
  get #digests(): Digests {
    return this.#owners === 'recorded' || this.partsLinks ? 'all' : 'none';
  }

  /** Whether the trees alone do not show all. */
  #goByLayers(trees: readonly string[]): boolean {
    return this.#owners === 'recorded' || trees.some((tree) => this.#lackDevices.has(tree));
  }

  /** What the layers have that are the same changes as the trees; they are packed where there is none so far. */
  async #tocs(trees: readonly string[], opts: Cancel): Promise<readonly Toc[]> {
    const tocs: Toc[] = [];
    for (const tree of trees) {
      const ref = this.#refs.get(tree)!;
      await this.pack(ref, opts);
      const layer = await layerOf(ref, this.#store.refs);
      tocs.push(await (this.#digests === 'all' ? this.#layers.toc(layer, opts) : this.#layers.names(layer, opts)));
    }
    return tocs;
  }

  async mountActive(ref: RefId, opts: Cancel): Promise<ActiveTree> {
    const trees = await this.ensure(ref, opts);
    const work = this.workDir();
    const [upper, scratch, root] = ['u', 'w', 'm'].map((name) => path.join(work.dir, name)) as [string, string, string];
    let stack: ActiveStack;
    try {
      for (const dir of [upper, scratch, root]) mkdirSync(dir);
      const lowers = await this.#bounded(highestOnly(trees), work.dir, opts);
      const names = [upper, scratch, root].map((dir) => this.#relative(dir)) as [string, string, string];
      stack = await this.#stacking.active(lowers, ...names, opts);
    } catch (error) {
      work[Symbol.dispose]();
      throw error;
    }
    return {
      root,
      view: new TreeView(fromText(root)),
      check: () => stack.check(),
      commit: async (id) => {
        await this.#commit(id, stack, upper, trees, opts);
      },
      [Symbol.dispose]: () => {
        stack[Symbol.dispose]();
        work[Symbol.dispose]();
      },
    };
  }

  async #commit(id: string, stack: ActiveStack, upper: string, trees: readonly string[], opts: Cancel): Promise<void> {
    await stack.finish(opts);
    if (this.#keepsLayers) {
      using lower = await this.#mount(trees, opts);
      stack.settle(lower.view, opts);
      await this.#pack(id, upper, lower, trees, opts);
      this.#stacking.prepare(upper, opts);
    }
    await this.#store.refs.saveTree(id, this.#dialect, this.#folder.keep(upper));
  }

  /** A stack that is too high gets its lowest trees merged into one, for this use. */
  async #bounded(trees: readonly string[], workDir: string, opts: Cancel): Promise<readonly string[]> {
    const { maxLowers } = this.#stacking;
    if (trees.length <= maxLowers) return trees;
    const [merged, at] = [path.join(workDir, 'f'), path.join(workDir, 'v')];
    mkdirSync(merged);
    mkdirSync(at);
    {
      using _view = await this.#stacking.view(trees.slice(0, maxLowers), this.#relative(at), opts);
      copyTree(fromText(at), fromText(merged), opts);
    }
    return await this.#bounded([this.#relative(merged), ...trees.slice(maxLowers)], workDir, opts);
  }

  /** Stacks are given names from the folder of the trees. */
  #relative(dir: string): string {
    return path.relative(this.#store.paths.trees, dir);
  }
}

/** For tables of contents that are asked about names only. */
function refuseContent(_layer: number, { path: name }: TocEntry): never {
  throw new Error(`the content of \`${toText(name)}\` lies in a tree`);
}

/**
 * Trees, lowest first, each where it is highest: the same `COPY --link` twice is one tree twice, which overlayfs refuses.
 * What the lower one shows the higher one shows as well, whatever lies or was removed between them.
 */
function highestOnly(trees: readonly string[]): readonly string[] {
  return trees.filter((tree, i) => trees.lastIndexOf(tree) === i);
}
