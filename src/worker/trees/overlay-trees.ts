import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { fromText } from '../../base/bytes.js';
import { OnceMap } from '../../base/once-map.js';
import { removeTree } from '../../base/remove-tree.js';
import { BuildError } from '../../base/errors.js';
import { LayerUnpacker } from '../../layer/unpack.js';
import { flatten, maxLowers, mountActive, mountView, unmountTree } from '../../snapshot/overlay.js';
import { TreeView } from '../../snapshot/tree-view.js';
import { withPassingLock } from '../../store/lock.js';
import type { Store } from '../../store/store.js';
import type { TarSink } from '../../layer/tar-reader.js';
import { EmptyView } from '../empty-view.js';
import type { LayerContent } from '../layer-content.js';
import { UnpackReport } from '../unpack-report.js';
import type { Progress, RefId } from '../machine.js';
import { packUpper } from './pack-upper.js';
import type { ActiveTree, Mounted, Trees } from './types.js';

/** What the marks in a tree are called, and whose ids its files have. */
export type OverlayDialect = 'trusted' | 'user' | 'single';

const NAME_BYTES = 8;
const MAX_LOWERS = maxLowers(NAME_BYTES);

/**
 * The trees of the store, for a process with its own mount namespace: unpacked from layers when first needed, stacked
 * by overlayfs. Unfinished ones lie in the job's work folder; a rename makes them trees.
 */
export class OverlayTrees implements Trees {
  readonly #store: Store;
  readonly #layers: LayerContent;
  readonly #dialect: OverlayDialect;
  readonly #onProgress: (progress: Progress) => void;
  readonly #unpacking = new OnceMap<string, string>();

  constructor(
    store: Store,
    layers: LayerContent,
    dialect: OverlayDialect,
    onProgress: (progress: Progress) => void = () => undefined,
  ) {
    this.#store = store;
    this.#onProgress = onProgress;
    this.#layers = layers;
    this.#dialect = dialect;
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
      trees.push(await this.#unpacking.run(id, opts.signal, (signal) => this.#ensureOne(id, below, { signal })));
    }
    return trees;
  }

  async #ensureOne(id: string, below: readonly string[], opts: Cancel): Promise<string> {
    const { paths, refs } = this.#store;
    const known = await refs.tree(id, this.#dialect);
    if (known !== undefined) return known;
    const lock = paths.lock(`tree-${id}-${this.#dialect}`);
    return await withPassingLock(lock, opts.signal, () => this.#unpack(id, below, opts));
  }

  /** Under the lock of the tree, since nothing would ever refer to a second one. */
  async #unpack(id: string, below: readonly string[], opts: Cancel): Promise<string> {
    const { refs } = this.#store;
    const known = await refs.tree(id, this.#dialect); // maybe another process was first
    if (known !== undefined) return known;
    const layer = await refs.layer(id);
    if (!layer) {
      throw new BuildError(
        'ISOLATION_UNAVAILABLE',
        'a cached step was made under another isolation and cannot be read here',
        {
          hint: 'build with the isolation that was used before, or once with `--no-cache`',
        },
      );
    }
    using work = this.workDir();
    const target = path.join(work.dir, 'u');
    mkdirSync(target);
    using lower = this.#mount(below);
    using unpacker = this.#unpacker(target, lower, below);
    const report = new UnpackReport(layer, this.#onProgress);
    await this.#layers.read(layer, unpacker, { ...opts, onProgress: report.update });
    report.end();
    unpacker.finish();
    const tree = this.#keep(target);
    await refs.saveTree(id, this.#dialect, tree);
    return tree;
  }

  async write(id: string, parent: RefId, write: (sink: TarSink) => void, opts: Cancel): Promise<void> {
    const below = await this.ensure(parent, opts);
    using work = this.workDir();
    const target = path.join(work.dir, 'u');
    mkdirSync(target);
    using lower = this.#mount(below);
    using unpacker = this.#unpacker(target, lower, below);
    write(unpacker);
    unpacker.finish();
    await this.#store.refs.saveTree(id, this.#dialect, this.#keep(target));
  }

  async pack(ref: string, opts: Cancel): Promise<void> {
    const { refs } = this.#store;
    if (await refs.layer(ref)) return;
    const all = await this.ensure(ref, opts);
    using lower = this.#mount(all.slice(0, -1));
    const upper = fromText(this.path(all.at(-1)!));
    await refs.saveLayer(ref, await packUpper(upper, lower.view, this.#store, this.#layers, opts));
  }

  /** Writes layers' entries into a new tree over `lower`, which shows the trees `below`. */
  #unpacker(target: string, lower: Mounted, below: readonly string[]): LayerUnpacker {
    return new LayerUnpacker(fromText(target), {
      dialect: this.#dialect === 'trusted' ? 'overlay-trusted' : 'overlay-user',
      lower: lower.view,
      lowerDirs: [...below].reverse().map((tree) => fromText(this.path(tree))),
    });
  }

  path(tree: string): string {
    return path.join(this.#store.paths.trees, tree);
  }

  /** Makes a finished directory a tree, and gives its name. */
  #keep(dir: string): string {
    for (;;) {
      const tree = randomBytes(5).toString('hex').slice(0, NAME_BYTES);
      if (existsSync(this.path(tree))) continue;
      this.#store.holding.holdNew('tree', tree);
      renameSync(dir, this.path(tree));
      return tree;
    }
  }

  workDir(): { readonly dir: string; [Symbol.dispose](): void } {
    const parent = this.#store.paths.work(this.#store.leaseId);
    const dir = path.join(parent, randomBytes(4).toString('hex'));
    mkdirSync(dir, { recursive: true });
    return { dir, [Symbol.dispose]: () => removeTree(dir) };
  }

  async mount(ref: RefId, opts: Cancel): Promise<Mounted> {
    return this.#mount(await this.ensure(ref, opts));
  }

  /** Mounts trees read-only, lowest first; none is an empty file system. */
  #mount(trees: readonly string[]): Mounted {
    if (trees.length === 0) return { root: '/var/empty', view: new EmptyView(), [Symbol.dispose]: () => undefined };
    const work = this.workDir();
    const root = path.join(work.dir, 'm');
    mkdirSync(root);
    const lowers = this.#bounded(highestOnly(trees), work.dir);
    mountView(lowers, this.#relative(root), this.#overlay());
    return {
      root,
      view: new TreeView(fromText(root)),
      [Symbol.dispose]: () => {
        unmountTree(root);
        work[Symbol.dispose]();
      },
    };
  }

  async mountActive(ref: RefId, opts: Cancel): Promise<ActiveTree> {
    const trees = await this.ensure(ref, opts);
    const work = this.workDir();
    const [upper, scratch, root] = ['u', 'w', 'm'].map((name) => path.join(work.dir, name)) as [string, string, string];
    for (const dir of [upper, scratch, root]) mkdirSync(dir);
    const lowers = this.#bounded(highestOnly(trees), work.dir);
    mountActive(lowers, this.#relative(upper), this.#relative(scratch), this.#relative(root), {
      ...this.#overlay(),
      volatile: true,
    });
    let mounted = true;
    const unmount = (): void => {
      if (mounted) unmountTree(root);
      mounted = false;
    };
    return {
      root,
      view: new TreeView(fromText(root)),
      commit: async (id) => {
        unmount();
        await this.#store.refs.saveTree(id, this.#dialect, this.#keep(upper));
      },
      [Symbol.dispose]: () => {
        unmount();
        work[Symbol.dispose]();
      },
    };
  }

  /** A stack that is too high for one overlay gets its lowest trees merged into one, for this use. */
  #bounded(trees: readonly string[], workDir: string): readonly string[] {
    if (trees.length <= MAX_LOWERS) return trees;
    const lowest = trees.slice(0, MAX_LOWERS);
    const [merged, view] = [path.join(workDir, 'f'), path.join(workDir, 'v')];
    mkdirSync(merged);
    mkdirSync(view);
    flatten(lowest, this.#relative(view), this.#relative(merged), {
      ...this.#overlay(),
      signal: new AbortController().signal,
    });
    return this.#bounded([this.#relative(merged), ...trees.slice(MAX_LOWERS)], workDir);
  }

  #overlay(): { readonly dir: string; readonly userxattr: boolean } {
    return { dir: this.#store.paths.trees, userxattr: this.#dialect === 'user' };
  }

  /** Overlay options are limited to a page and to plain names, so paths are given from the folder of the trees. */
  #relative(dir: string): string {
    return path.relative(this.#store.paths.trees, dir);
  }
}

/**
 * Trees, lowest first, each where it is highest: the same `COPY --link` twice is one tree twice, which overlayfs refuses.
 * What the lower one shows the higher one shows as well, whatever lies or was removed between them.
 */
function highestOnly(trees: readonly string[]): readonly string[] {
  return trees.filter((tree, i) => trees.lastIndexOf(tree) === i);
}
