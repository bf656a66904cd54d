import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { buildToc, type TocEntry } from '../../src/layer/toc.js';
import type { Descriptor, Index, Manifest } from '../../src/oci/descriptor.js';
import { hexOf, type Digest } from '../../src/oci/digest.js';
import type { ImageConfig } from '../../src/oci/image-config.js';

/** The one image of an OCI layout whose layers are not compressed. */
export interface BuiltImage {
  readonly manifest: Manifest;
  /** As it stands in the layout. */
  readonly configText: string;
  readonly readLayer: (layer: Descriptor) => Buffer;
}

/** What counts of an entry of a layer, in a form that a message can show. */
export type EntryShape = Readonly<Record<string, unknown>> & { readonly path: string };

export function readBuiltImage(layout: string): BuiltImage {
  const read = (digest: Digest): Buffer => readFileSync(path.join(layout, 'blobs/sha256', hexOf(digest)));
  const index = JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8')) as Index;
  const manifest = JSON.parse(read(index.manifests[0]!.digest).toString()) as Manifest;
  return { manifest, configText: read(manifest.config.digest).toString(), readLayer: ({ digest }) => read(digest) };
}

/** `created_by`, `empty_layer` and `comment` of each entry: all but its time. */
export function historyShape(history: NonNullable<ImageConfig['history']>): readonly unknown[] {
  return history.map(({ created_by, empty_layer, comment }) => ({ created_by, empty_layer, comment }));
}

/** The entries of an uncompressed layer, in the order of the tar. */
export async function entryShapes(tar: Buffer): Promise<readonly EntryShape[]> {
  const toc = await buildToc([tar]);
  return toc.entries.map(shape);
}

function shape(entry: TocEntry): EntryShape {
  return {
    path: entry.type === 'dir' ? `${entry.path}/` : entry.path,
    type: entry.type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.type === 'file' ? entry.size : 0,
    mtime: entry.mtime,
    linkname: entry.linkname ?? '',
    sha256: entry.digest === undefined || entry.size === 0 ? '' : hexOf(entry.digest),
    xattrs: [...(entry.xattrs ?? [])].map(([name, value]) => `${name}=${value.toString('base64')}`).join(),
  };
}

/** The first entry that differs, or undefined. */
export function compareEntries(
  what: string,
  got: readonly EntryShape[],
  want: readonly EntryShape[],
): string | undefined {
  for (const [n, wanted] of want.entries()) {
    if (!isDeepStrictEqual(got[n], wanted)) return differ(`${what} entry ${n}`, got[n], wanted);
  }
  return got.length === want.length ? undefined : differ(`${what} entries`, got.length, want.length);
}

export function differ(what: string, got: unknown, want: unknown): string {
  return `${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`;
}
