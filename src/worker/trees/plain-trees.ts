import { mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { fromText } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';
import { OnceMap } from '../../base/once-map.js';
import { lockPath, tryLockPath, type PathLock } from '../../base/path-lock.js';
import { LayerUnpacker } from '../../layer/unpack.js';
import { breakLinks } from '../../snapshot/break-links.js';
import { copyTree } from '../../snapshot/copy-tree.js';
import { takeInventory, type Inventory } from '../../snapshot/inventory.js';
import { diffInventory } from '../../snapshot/inventory-diff.js';
import { mountActive, mountView, type OverlayOptions } from '../../snapshot/overlay.js';
import { TreeView } from '../../snapshot/tree-view.js';
import { withPassingLock } from '../../store/lock.js';
import { facesOf, type LayerFact, type TreeDialect } from '../../store/refs.js';
import type { Store } from '../../store/store.js';
import { EmptyView } from '../empty-view.js';
import type { LayerContent } from '../layer-content.js';
import { writeLayer } from '../layer-writer.js';
import type { Progress, RefId } from '../machine.js';
import { UnpackReport } from '../unpack-report.js';
import { LayeredView } from './layered-view.js';
import { layerOf } from './layer-of.js';
import { itemsOf } from './pack-upper.js';
import { ChainContents, ownersOver } from './plain-chain.js';
import { mountedTree, type ShownTree } from './shown-tree.js';
import { TreeFolder } from './tree-folder.js';
import type { ActiveOptions, ActiveTree, Mounted, Trees } from './types.js';

export interface PlainTreesOptions {
  readonly store: Store;
  readonly layers: LayerContent;
  /** What the trees are kept as. */
  readonly dialect: TreeDialect;
  /** 'recorded' where the disk can have one owner only: beside the files, and in the layers. */
  readonly owners: 'on-disk' | 'recorded';
  /** Whether this process may mount: then what is only read is read-only, and nobody opens a device in a tree. */
  readonly mounts: boolean;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/**
 * The trees of the store where nothing can be stacked: each is a whole root file system in an ordinary directory. A step
 * takes the nearest tree below it that nobody reads, and changes it in place, or copies it, where others stand on it as
 * well. What a step changed is found by comparing, and gets its layer at once, because the next step may change the tree: from
 * layers any tree can be made again.
 *
 * Readers have a shared lock on the directory of a tree, whoever takes or removes it an exclusive one. A tree that is taken
 * lies in the job's work folder; if the job dies then, only this tree is lost.
 */
export class PlainTrees implements Trees {
  readonly partsLinks = true;
  readonly #store: Store;
  readonly #folder: TreeFolder;
  readonly #layers: LayerContent;
  readonly #dialect: TreeDialect;
  readonly #owners: PlainTreesOptions['owners'];
  readonly #mounts: boolean;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  readonly #making = new OnceMap<string, void>();
  /** What trees hold that this process has made, by name. A tree that lies in its place does not change. */
  readonly #inventories = new Map<string, Inventory>();

  constructor({ store, layers, dialect, owners, mounts, onProgress }: PlainTreesOptions) {
    this.#store = store;
    this.#folder = new TreeFolder(store);
    this.#layers = layers;
    this.#dialect = dialect;
    this.#owners = owners;
    this.#mounts = mounts;
    this.#onProgress = onProgress;
  }

  workDir(): { readonly dir: string; [Symbol.dispose](): void } {
    return this.#folder.workDir();
  }

  async mount(ref: RefId, opts: Cancel): Promise<Mounted> {
    if (ref === null) return { root: '/var/empty', view: new EmptyView(), [Symbol.dispose]: () => undefined };
    const { root: tree, lock } = await this.#open(ref, opts);
    let contents: ChainContents;
    try {
      contents = await ChainContents.of(ref, this.#store.refs, this.#layers, opts);
    } catch (error) {
      lock.release();
      throw error;
    }
    const shown = this.#show(
      tree,
      (at) => mountView([tree], at, this.#overlay),
      () => lock.release(),
    );
    return { ...shown, view: new LayeredView(new TreeView(fromText(shown.root)), contents) };
  }

  async mountActive(ref: RefId, opts: ActiveOptions): Promise<ActiveTree> {
    const work = this.workDir();
    const tree = path.join(work.dir, 't');
    let inventory: Inventory;
    try {
      inventory = (await this.#place(ref, tree, opts)) ?? takeInventory(fromText(tree), opts);
      breakLinks(fromText(tree), inventory, opts);
    } catch (error) {
      work[Symbol.dispose]();
      throw error;
    }
    const bind = (at: string): void => mountActive([], tree, '', at, this.#overlay);
    const shown = this.#show(tree, bind, () => work[Symbol.dispose]());
    return {
      ...shown,
      view: new TreeView(fromText(shown.root)),
      commit: async (id, cancel) => {
        shown.hide();
        await this.#commit(id, { parent: ref, root: tree, inventory }, cancel);
      },
    };
  }

  #show(tree: string, mount: (at: string) => void, end: () => void): ShownTree {
    return this.#mounts
      ? mountedTree(mount, this.#folder, end)
      : { root: tree, hide: () => undefined, [Symbol.dispose]: end };
  }

  get #overlay(): OverlayOptions {
    return { dir: this.#store.paths.trees, userxattr: false };
  }

  /** Every change has its layer from the start. */
  async pack(ref: string): Promise<void> {
    await layerOf(ref, this.#store.refs);
  }

  /** Puts what a ref shows at `root`, a name that is free, to be changed there. Gives the inventory if it is known. */
  async #place(ref: RefId, root: string, opts: ActiveOptions): Promise<Inventory | undefined> {
    if (ref === null) return void mkdirSync(root);
    if (opts.branches !== true) return await this.#make(ref, root, opts);
    const { root: shared, lock } = await this.#open(ref, opts);
    try {
      copyTo(shared, root, opts);
      return undefined;
    } finally {
      lock.release();
    }
  }

  async #commit(
    id: string,
    { parent, root, inventory }: { readonly parent: RefId; readonly root: string; readonly inventory: Inventory },
    opts: Cancel,
  ): Promise<void> {
    const contents = await ChainContents.of(parent, this.#store.refs, this.#layers, opts);
    const { changes, after } = await diffInventory(fromText(root), inventory, {
      ...opts,
      unmade: contents.devicesMissingIn(inventory),
      digestBefore: (file) => contents.digest(file),
      ...(this.#owners === 'recorded' && { owners: ownersOver(inventory, contents) }),
    });
    const layer = await writeLayer(itemsOf(changes), this.#store, this.#layers);
    await this.#store.refs.saveLayer(id, layer);
    await this.#keepAs(id, root, after);
  }

  async #keepAs(id: string, root: string, inventory: Inventory | undefined): Promise<void> {
    const name = this.#folder.keep(root);
    if (inventory) this.#inventories.set(name, inventory);
    await this.#store.refs.saveTree(id, this.#dialect, name);
  }

  /** The tree of a ref, made if it is not there, with a lock that keeps it. */
  async #open(ref: string, opts: Cancel): Promise<{ readonly root: string; readonly lock: PathLock }> {
    for (;;) {
      const name = await this.#store.refs.tree(ref, this.#dialect);
      if (name === undefined) {
        await this.#making.run(ref, opts.signal, (signal) => this.#ensure(ref, { signal }));
        continue;
      }
      const root = this.#folder.path(name);
      const lock = await lockTree(root, () => lockPath(root, 'directory', 'shared', opts));
      if (lock) return { root, lock };
    }
  }

  async #ensure(ref: string, opts: Cancel): Promise<void> {
    const { paths, refs } = this.#store;
    await withPassingLock(paths.lock(`tree-${ref}-${this.#dialect}`), opts.signal, async () => {
      if ((await refs.tree(ref, this.#dialect)) !== undefined) return; // another process was first
      using work = this.workDir();
      const root = path.join(work.dir, 't');
      await this.#keepAs(ref, root, await this.#make(ref, root, opts));
    });
  }

  /**
   * Makes what a ref shows at `root`, from the nearest tree below or from nothing, by layers. Gives its inventory if it
   * is known.
   */
  async #make(ref: string, root: string, opts: Cancel): Promise<Inventory | undefined> {
    const { refs } = this.#store;
    const chain = await refs.chain(ref);
    const above: LayerAbove[] = [];
    for (const record of chain.toReversed()) {
      const name = await refs.tree(record.id, this.#dialect);
      const got = name !== undefined && (await this.#obtain(record.id, name, root, opts));
      if (got) return await this.#lay(above.reverse(), root, got.inventory, opts);
      above.push({ layer: await layerOf(facesOf(record), refs), below: record.parent ?? null });
    }
    mkdirSync(root);
    return await this.#lay(above.reverse(), root, undefined, opts);
  }

  /** Lays layers on a tree, lowest first. */
  async #lay(
    layers: readonly LayerAbove[],
    root: string,
    before: Inventory | undefined,
    opts: Cancel,
  ): Promise<Inventory | undefined> {
    const at = fromText(root);
    for (const { layer, below } of layers) {
      using unpacker = await this.#unpacker(root, below, opts);
      const report = new UnpackReport(layer, this.#onProgress);
      await this.#layers.read(layer, unpacker, { ...opts, onProgress: report.update });
      report.end();
      unpacker.finish();
    }
    return before && layers.length > 0 ? takeInventory(at, opts, before) : before;
  }

  async #unpacker(root: string, below: RefId, opts: Cancel): Promise<LayerUnpacker> {
    const at = fromText(root);
    const tree = new TreeView(at);
    if (this.#owners === 'on-disk') return new LayerUnpacker(at, { dialect: 'plain', lower: tree });
    const contents = await ChainContents.of(below, this.#store.refs, this.#layers, opts);
    return new LayerUnpacker(at, { dialect: 'plain', owners: 'record', lower: new LayeredView(tree, contents) });
  }

  /** Takes a tree to `root` if nobody reads it, else copies it. Undefined when it is gone meanwhile. */
  async #obtain(
    id: string,
    name: string,
    root: string,
    opts: Cancel,
  ): Promise<{ readonly inventory: Inventory | undefined } | undefined> {
    const tree = this.#folder.path(name);
    const own = await lockTree(tree, () => Promise.resolve(tryLockPath(tree, 'directory', 'exclusive')));
    if (own) {
      try {
        await this.#store.refs.forgetTree(id, this.#dialect);
        renameSync(tree, root);
      } finally {
        own.release();
      }
      const inventory = this.#inventories.get(name);
      this.#inventories.delete(name);
      return { inventory };
    }
    const shared = await lockTree(tree, () => Promise.resolve(tryLockPath(tree, 'directory', 'shared')));
    if (!shared) return undefined;
    try {
      copyTo(tree, root, opts);
      return { inventory: undefined };
    } finally {
      shared.release();
    }
  }
}

/** A layer, and what it lies on. */
interface LayerAbove {
  readonly layer: LayerFact;
  readonly below: RefId;
}

/** A lock on a tree that is in its place; undefined when somebody else has it, or it is gone. */
async function lockTree(tree: string, take: () => Promise<PathLock | undefined>): Promise<PathLock | undefined> {
  try {
    const lock = await take();
    if (lock?.stillHas(tree) !== false) return lock;
    lock.release();
    return undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function copyTo(from: string, to: string, opts: Cancel): void {
  mkdirSync(to);
  copyTree(fromText(from), fromText(to), opts);
}
