import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { collectGarbage } from '../base/collect-garbage.js';
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

/** Packs a layer into the store: one pass that reads, hashes and writes. The blob lies uncompressed. */
export async function writeLayer(
  items: Iterable<PackItem>,
  store: Store,
  layers: LayerContent,
  beginCopy?: (tar: number) => Promise<PackedCopy | undefined>,
): Promise<LayerFact> {
  const temp = await store.blobs.tempPath();
  const fd = openSync(temp, 'wx+', 0o644);
  let copy: PackedCopy | undefined;
  try {
    copy = await beginCopy?.(fd);
    const toc = packInto(fd, items, copy);
    const digest = toc.diffId as string as Digest; // uncompressed, so the blob is the tar itself
    await store.blobs.adopt(temp, digest, toc.size);
    if (toc.entries.length >= VERY_MANY) collectGarbage();
    await layers.save(toc);
    const layer = { diffId: toc.diffId, blob: { mediaType: mediaTypes.layer, digest, size: toc.size } };
    await copy?.finish(layer);
    return layer;
  } catch (error) {
    await copy?.abandon();
    rmSync(temp, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
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
