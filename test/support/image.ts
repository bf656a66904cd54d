import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Descriptor, Index, Manifest } from '../../src/oci/descriptor.js';
import type { ImageConfig } from '../../src/oci/image-config.js';
import { TarParser } from '../../src/layer/tar-reader.js';
import type { TarEntry } from '../../src/layer/tar-entry.js';

/** An entry of a layer, with what is in it. Names are byte strings. */
export interface ReadEntry extends TarEntry {
  /** Empty for large files. */
  readonly content: Buffer;
  /** Hexadecimal SHA-256 of the content, holes as zeros. */
  readonly sha256: string;
}

/** An entry of a file system; hard links are entries like the one they are a name of. */
export interface TreeEntry extends ReadEntry {
  /** The entry that made the file, one for all its names. */
  readonly inode: ReadEntry;
}

export interface ReadImage {
  readonly descriptor: Pick<Descriptor, 'digest' | 'annotations'>;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Entries of each layer as they stand in the tar, lowest first. */
  readonly layers: readonly (readonly ReadEntry[])[];
}

const KEPT_BYTES = 64 * 1024;

/** Reads an image out of an OCI layout (a store is one too) by the name or tag in its index; without one, the only image. */
export function readImage(layout: string, name?: string): ReadImage {
  const json = (file: string): unknown => JSON.parse(readFileSync(path.join(layout, file), 'utf8'));
  const { manifests } = json('index.json') as Index;
  const matches = manifests.filter((one) => {
    const names = Object.values(one.annotations ?? {});
    return name === undefined || names.some((other) => other === name || other === `docker.io/library/${name}`);
  });
  if (matches.length !== 1) throw new Error(`${matches.length} images \`${name}\` in ${layout}`);
  return readManifest(layout, matches[0]!);
}

/** The same by the manifest's digest, whether or not an index names it. */
export function readManifest(layout: string, descriptor: Pick<Descriptor, 'digest'>): ReadImage {
  const json = (file: string): unknown => JSON.parse(readFileSync(path.join(layout, file), 'utf8'));
  const blob = (digest: string): string => `blobs/sha256/${digest.slice(7)}`;
  const manifest = json(blob(descriptor.digest)) as Manifest;
  const config = json(blob(manifest.config.digest)) as ImageConfig;
  const layers = manifest.layers.map((layer) => {
    const bytes = readFileSync(path.join(layout, blob(layer.digest)));
    return readTar(layer.mediaType.endsWith('gzip') ? gunzipSync(bytes) : bytes);
  });
  return { descriptor, manifest, config, layers };
}

/** The entries of a tar. */
export function readTar(tar: Buffer): readonly ReadEntry[] {
  const entries: ReadEntry[] = [];
  let hash = createHash('sha256');
  let hashed = 0;
  const parser = new TarParser({
    entry: (entry) => {
      hash = createHash('sha256');
      hashed = 0;
      entries.push({ ...entry, content: Buffer.alloc(entry.size > KEPT_BYTES ? 0 : entry.size), sha256: '' });
    },
    data: (bytes, position) => {
      hash.update(Buffer.alloc(position - hashed)).update(bytes);
      hashed = position + bytes.length;
      const { content } = entries.at(-1)!;
      if (content.length > 0) bytes.copy(content, position);
    },
    end: () => {
      const entry = entries.pop()!;
      hash.update(Buffer.alloc(entry.size - hashed));
      entries.push({ ...entry, sha256: hash.digest('hex') });
    },
  });
  parser.write(tar);
  parser.finish();
  return entries;
}

/** The file system that layers come to, by path: the OCI rules of whiteouts, written once more and simply. */
export function flatten(layers: ReadImage['layers']): ReadonlyMap<string, TreeEntry> {
  let tree = new Map<string, TreeEntry>();
  for (const layer of layers) {
    const below = [...tree];
    const removed = layer
      .map(({ path }) => ({
        dir: path.slice(0, path.lastIndexOf('/') + 1),
        name: path.slice(path.lastIndexOf('/') + 1),
      }))
      .filter(({ name }) => name.startsWith('.wh.'))
      .map(({ dir, name }) => (name === '.wh..wh..opq' ? dir : dir + name.slice(4)));
    const isGone = (path: string): boolean =>
      removed.some((gone) =>
        gone.endsWith('/') ? path.startsWith(gone) : path === gone || path.startsWith(`${gone}/`),
      );
    tree = new Map(below.filter(([path]) => !isGone(path)));
    for (const entry of layer) {
      if (/(^|\/)\.wh\./.test(entry.path)) continue;
      if (entry.type !== 'dir' && tree.get(entry.path)?.type === 'dir') {
        for (const path of tree.keys()) if (path.startsWith(`${entry.path}/`)) tree.delete(path);
      }
      tree.set(entry.path, entry.type === 'hardlink' ? linkTo(tree, entry) : { ...entry, inode: entry });
    }
  }
  return tree;
}

function linkTo(tree: ReadonlyMap<string, TreeEntry>, { path, linkname }: ReadEntry): TreeEntry {
  const target = tree.get(linkname ?? '');
  if (!target) throw new Error(`${path} is a hard link to ${linkname}, which is not there`);
  return { ...target, path };
}

/** One line an entry, with all that counts; times only on request. */
export function describeEntry(entry: ReadEntry, withTime = false): string {
  const device = entry.devMajor === undefined ? '' : ` ${entry.devMajor},${entry.devMinor}`;
  const link = entry.linkname === undefined ? '' : ` -> ${entry.linkname}`;
  const xattrs = [...(entry.xattrs ?? [])].map(([name, value]) => ` ${name}=${value.toString('hex')}`).join('');
  const time = withTime ? ` @${entry.mtime}` : '';
  return `${entry.path} ${entry.type} ${entry.mode.toString(8)} ${entry.uid}:${entry.gid} ${entry.size}${device}${link}${xattrs}${time}`;
}
