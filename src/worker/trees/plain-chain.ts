import type { Cancel } from '../../base/abort.js';
import { toText, type ByteString } from '../../base/bytes.js';
import type { Digest } from '../../oci/digest.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import { TocView } from '../../layer/toc-view.js';
import type { Toc } from '../../layer/toc.js';
import type { Owner } from '../../base/linux/recorded-owner.js';
import type { InventoryDiffOptions } from '../../snapshot/inventory-diff.js';
import type { Inventory } from '../../snapshot/inventory.js';
import { facesOf, type RefStore } from '../../store/refs.js';
import type { LayerContent } from '../layer-content.js';
import type { RefId } from '../machine.js';
import { isDevice } from './layered-view.js';
import { RecordedOwners } from './recorded-owners.js';
import { layerOf } from './layer-of.js';

/** What the layers of a ref say of its files, where the tree made of them does not, or no longer. */
export class ChainContents implements Pick<RefView, 'lstat' | 'list'> {
  readonly tocs: readonly Toc[];
  #merged: TocView | undefined;

  private constructor(tocs: readonly Toc[]) {
    this.tocs = tocs;
  }

  static async of(ref: RefId, refs: RefStore, layers: LayerContent, opts: Cancel): Promise<ChainContents> {
    const tocs: Toc[] = [];
    for (const record of ref === null ? [] : await refs.chain(ref)) {
      tocs.push(await layers.toc(await layerOf(facesOf(record), refs), opts));
    }
    return new ChainContents(tocs);
  }

  lstat(path: ByteString): ViewEntry | undefined {
    return this.#view().lstat(path);
  }

  list(path: ByteString): readonly ByteString[] | undefined {
    return this.#view().list(path);
  }

  digest(file: ByteString): Digest {
    const digest = this.#view().knownDigest(file);
    if (digest === undefined) throw new Error(`no digest in the table of contents: ${toText(file)}`);
    return digest;
  }

  /** Devices of the layers that a tree lacks, because the process that made it may not make them. */
  devicesMissingIn(tree: Inventory): ReadonlySet<ByteString> {
    const missing = new Set<ByteString>();
    for (const { entries } of this.tocs) {
      for (const { path, type } of entries) {
        if (isDevice({ type }) && !tree.entry(path) && this.#isDevice(path)) missing.add(path);
      }
    }
    return missing;
  }

  /** Still, after all layers. */
  #isDevice(path: ByteString): boolean {
    const entry = this.lstat(path);
    return entry !== undefined && isDevice(entry);
  }

  #view(): TocView {
    const open = (): never => {
      throw new Error('only names are read here');
    };
    return (this.#merged ??= new TocView(this.tocs, open));
  }
}

/** The owners in a tree that was changed in place, where everything on disk is 0:0. `before`: what it held. */
export function ownersOver(before: Inventory, contents: ChainContents): NonNullable<InventoryDiffOptions['owners']> {
  const ownerBefore = (path: ByteString): Owner | undefined => {
    const entry = contents.lstat(path);
    return entry && { uid: entry.uid, gid: entry.gid };
  };
  const lstat = (path: ByteString): ViewEntry | undefined => {
    const entry = before.entry(path);
    return entry && { ...entry, ...ownerBefore(path) };
  };
  const owners = new RecordedOwners({ lstat }, contents.tocs);
  return {
    ownerOf: (entry, fullPath) => owners.ownerOf(entry, fullPath),
    unchanged: (entry, below) => owners.unchanged(entry, below),
    before: ownerBefore,
  };
}
