import type { Cancel } from '../base/abort.js';
import { TocView } from '../layer/toc-view.js';
import type { RefView } from '../layer/ref-view.js';
import type { Toc } from '../layer/toc.js';
import type { Image } from '../oci/image.js';
import type { LayerFact } from '../store/refs.js';
import type { Store } from '../store/store.js';
import { LayerContent } from '../worker/layer-content.js';
import { osPackages, type OsPackages } from './os-packages.js';

/** What an image comes to. */
export interface ImageFacts {
  readonly name: string;
  readonly digest: string;
  /** Bytes of all layers, uncompressed. */
  readonly size: number;
  readonly layers: number;
  /** Regular files that a container sees; further names of a file not counted. */
  readonly files: number;
  /** Absent when the image has no package database that is known. */
  readonly osPackages?: OsPackages;
  /** As in the config; `root` when it names nobody. */
  readonly user: string;
  /** Milliseconds; absent when this store did not build it. */
  readonly buildMs?: number;
}

/** Reads an image of the store. Throws when a part of it cannot be read: a report never guesses. */
export async function imageFacts(
  name: string,
  image: Image,
  store: Store,
  buildMs: number | undefined,
  opts: Cancel,
): Promise<ImageFacts> {
  const content = new LayerContent(store);
  const layers = image.manifest.layers.map((blob, i): LayerFact => ({
    blob,
    diffId: image.config.rootfs.diff_ids[i]!,
  }));
  const tocs: Toc[] = [];
  for (const layer of layers) tocs.push(await content.toc(layer, opts));
  const view = new TocView(tocs, (index, entry) => content.file(layers[index]!, entry, opts));
  const packages = await osPackages(view);
  return {
    name,
    digest: image.descriptor.digest,
    size: tocs.reduce((sum, toc) => sum + toc.size, 0),
    layers: layers.length,
    files: countFiles(view),
    ...(packages && { osPackages: packages }),
    user: image.config.config?.User || 'root',
    ...(buildMs !== undefined && { buildMs }),
  };
}

function countFiles(view: RefView): number {
  const seen = new Set<number | string>();
  let count = 0;
  const walk = (dir: string): void => {
    for (const name of view.list(dir) ?? []) {
      const path = dir === '' ? name : `${dir}/${name}`;
      const entry = view.lstat(path);
      if (entry?.type === 'dir') walk(path);
      if (entry?.type !== 'file' || (entry.inode !== undefined && seen.has(entry.inode))) continue;
      if (entry.inode !== undefined) seen.add(entry.inode);
      count++;
    }
  };
  walk('');
  return count;
}
