import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { LayerPacker, packLayer, type ByteSink, type PackItem } from '../layer/pack.js';
import { TarParser, type TarSink } from '../layer/tar-reader.js';
import type { Toc } from '../layer/toc.js';
import { mediaTypes } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import type { LayerContent } from './layer-content.js';

/** Takes the bytes of a layer while it is packed. */
export interface PackedCopy {
  /** The bytes are the packer's again when the call returns. */
  write(bytes: Buffer): void;
  /** Settled when there is room for more, and what is done with the bytes so far had its turn. */
  room(): Promise<void>;
  /** The layer is whole, and stands in the store. */
  finish(layer: LayerFact): Promise<void>;
  /** There will be no such layer. */
  abandon(): Promise<void>;
}

/**
 * Packs a layer into the store: one pass that reads, hashes and writes, and hands the bytes to `copy` as well. The blob
 * lies uncompressed.
 */
export async function writeLayer(
  items: Iterable<PackItem>,
  store: Store,
  layers: LayerContent,
  copy?: PackedCopy,
): Promise<LayerFact> {
  try {
    const layer = await pack(items, store, layers, copy);
    await copy?.finish(layer);
    return layer;
  } catch (error) {
    await copy?.abandon();
    throw error;
  }
}

async function pack(
  items: Iterable<PackItem>,
  store: Store,
  layers: LayerContent,
  copy: PackedCopy | undefined,
): Promise<LayerFact> {
  const temp = await store.blobs.tempPath();
  const fd = openSync(temp, 'wx', 0o644);
  let toc: Toc;
  try {
    const write = writerTo(fd);
    const packer = new LayerPacker((bytes) => {
      write(bytes);
      copy?.write(bytes);
    });
    for (const item of items) {
      for (const _ of packer.steps(item)) await copy?.room();
    }
    toc = packer.finish();
  } catch (error) {
    rmSync(temp, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  const digest = toc.diffId as string as Digest; // uncompressed, so the blob is the tar itself
  await store.blobs.adopt(temp, digest, toc.size);
  await layers.save(toc);
  return { diffId: toc.diffId, blob: { mediaType: mediaTypes.layer, digest, size: toc.size } };
}

/** Writes to an open file, all of it. */
export function writerTo(fd: number): ByteSink {
  return (bytes) => {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  };
}

/** Hands the entries to an unpacker, as if they had come in a layer. */
export function passTo(items: Iterable<PackItem>, unpacker: TarSink): void {
  const parser = new TarParser(unpacker);
  packLayer(items, (bytes) => parser.write(bytes));
  parser.finish();
}
