import type { Cancel } from '../../base/abort.js';
import type { RefView } from '../../layer/ref-view.js';
import type { TarSink } from '../../layer/tar-reader.js';
import type { ComingLayer, RefId } from '../machine.js';

/** A file system that lies in a directory while it is in use. */
export interface Mounted {
  /** Absolute path. */
  readonly root: string;
  readonly view: RefView;
  [Symbol.dispose](): void;
}

/** A writable file system over a ref. Its changes are lost unless they are committed. */
export interface ActiveTree extends Mounted {
  /** Keeps the changes as those of the ref `id`, whose parent is the ref it stands on. Nothing may use the root any more. */
  commit(id: string, opts: Cancel): Promise<void>;
  /**
   * Throws WORKER_FAILED when the file system broke while it was in use: what a process says then is worth nothing. Absent
   * where the kernel alone serves it.
   */
  readonly check?: () => void;
}

export interface ActiveOptions extends Cancel {
  /** Other steps of the job stand on the same ref, so what is there of it should stay. */
  readonly branches?: boolean;
}

/** The trees of the store, in one dialect, for the process that may touch them. */
export interface Trees {
  /** True where a mount does not show which names are one file; layers do. */
  readonly partsLinks: boolean;
  /** What a ref shows, to be read only. */
  mount(ref: RefId, opts: Cancel): Promise<Mounted>;
  /** What a ref shows, to be changed. */
  mountActive(ref: RefId, opts: ActiveOptions): Promise<ActiveTree>;
  /** Makes the layer face of a ref from its tree. */
  pack(ref: string, opts: Cancel): Promise<void>;
  /**
   * Writes the change of a new ref `id` on `parent` as a tree. Absent where every change is kept as a layer
   * (`keepsLayers`): its tree is then made from that. Tells whether the tree is all, or the ref needs its layer as well.
   */
  readonly write?: (
    id: string,
    parent: RefId,
    write: (sink: TarSink) => void,
    opts: Cancel,
  ) => Promise<{ readonly needsLayer: boolean }>;
  /**
   * Begins to make the trees of layers that are being brought, lowest first, so that they are there, or nearly, when they are
   * asked for. Nothing of it is to be seen before that. Absent where it is not possible.
   */
  readonly unpackAhead?: (layers: readonly ComingLayer[], opts: Cancel) => Promise<void>;
  /**
   * The directory that holds the changes of a ref, as overlayfs has them: whatever it lacks, the ref shows as its parent does.
   * Absent where trees are anything else, or show less than the refs have.
   */
  readonly changesOf?: ((ref: string, opts: Cancel) => Promise<string>) | undefined;
  /** A folder of this job on the file system of the trees; gone when it is disposed of, or swept with the job. */
  workDir(): { readonly dir: string; [Symbol.dispose](): void };
}
