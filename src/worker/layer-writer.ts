import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { packLayer, type ByteSink, type PackItem } from '../layer/pack.js';
import type { Toc } from '../layer/toc.js';
import { mediaTypes } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import type { LayerContent } from './layer-content.js';

/** Entries from which on memory counts more than a few milliseconds. */
export const VERY_MANY = 20_000;

/** Follows the file that a layer is packed into. */
export interface PackedCopy {
  /** So many bytes more are in the file. */
  wrote(bytes: number): void;
  /** The layer is whole, and stands in the store. */
  finish(layer: LayerFact): Promise<void>;
  /** There will be no such layer. */
  abandon(): Promise<void>;
}

/** Given the descriptor of the file that the layer is packed into. */
export type BeginCopy = (tar: number) => Promise<PackedCopy | undefined>;

/** A layer that is packed into a file of the job, uncompressed. Either is to be called, once: `keep` or `drop`. */
export class PackedLayer {
  readonly toc: Toc;
  readonly #store: Store;
  readonly #file: string;
  readonly #fd: number;
  readonly #copy: PackedCopy | undefined;

  private constructor(toc: Toc, store: Store, file: string, fd: number, copy: PackedCopy | undefined) {
    this.toc = toc;
    this.#store = store;
    this.#file = file;
    this.#fd = fd;
    this.#copy = copy;
  }

  /** One pass that reads, hashes and writes. */
  static async pack(items: Iterable<PackItem>, store: Store, beginCopy?: BeginCopy): Promise<PackedLayer> {
    const file = await store.blobs.tempPath();
    const fd = openSync(file, 'wx+', 0o644);
    let copy: PackedCopy | undefined;
    try {
      copy = await beginCopy?.(fd);
      return new PackedLayer(packInto(fd, items, copy), store, file, fd, copy);
    } catch (error) {
      await leave(fd, file, copy);
      throw error;
    }
  }

  /** Brings it into the store, with its table of contents and with what follows it. */
  async keep(layers: LayerContent): Promise<LayerFact> {
    const { diffId, size } = this.toc;
    try {
      const digest = diffId as string as Digest; // uncompressed, so the blob is the tar itself
      await this.#store.blobs.adopt(this.#file, digest, size);
      await layers.save(this.toc);
      const layer = { diffId, blob: { mediaType: mediaTypes.layer, digest, size } };
      await this.#copy?.finish(layer);
      closeSync(this.#fd);
      return layer;
    } catch (error) {
      await this.drop();
      throw error;
    }
  }

  async drop(): Promise<void> {
    await leave(this.#fd, this.#file, this.#copy);
  }
}

async function leave(fd: number, file: string, copy: PackedCopy | undefined): Promise<void> {
  await copy?.abandon();
  rmSync(file, { force: true });
  closeSync(fd);
}

/** Packs a layer into the store. */
export async function writeLayer(
  items: Iterable<PackItem>,
  store: Store,
  layers: LayerContent,
  beginCopy?: BeginCopy,
): Promise<LayerFact> {
  const packed = await PackedLayer.pack(items, store, beginCopy);
  return await packed.keep(layers);
}

function packInto(fd: number, items: Iterable<PackItem>, copy: PackedCopy | undefined): Toc {
  const write = writerTo(fd);
  return packLayer(items, (bytes) => {
    write(bytes);
    copy?.wrote(bytes.length);
  });
}

/** Writes to an open file, all of it. */
export function writerTo(fd: number): ByteSink {
  return (bytes) => {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  };
}
