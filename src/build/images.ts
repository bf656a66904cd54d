import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { type Descriptor } from '../oci/descriptor.js';
import { isDigest } from '../oci/digest.js';
import type { Image } from '../oci/image.js';
import { hostPlatform } from '../oci/platform.js';
import {
  familiarReference,
  formatReference,
  parseReference,
  withDefaultTag,
  type Reference,
} from '../oci/reference.js';
import type { NamedImage } from '../store/images.js';
import { Store, storeRoot, type OpenStore } from '../store/store.js';
import { foremostImage } from '../transfer/whole-images.js';
import { LayerContent } from '../worker/layer-content.js';

/** Opens the store for one command; to be disposed of. `read` does with a store that cannot be written. */
export async function openStore(
  root: string | undefined,
  signal: AbortSignal,
  access: 'read' | 'write' = 'write',
): Promise<OpenStore & { [Symbol.asyncDispose](): Promise<void> }> {
  const open = access === 'read' ? Store.openToRead : Store.open;
  const opened = await open(storeRoot(root, process.env), { signal });
  return { ...opened, [Symbol.asyncDispose]: () => opened.lease.release() };
}

export interface FoundImage {
  /** What the store has under the name: a manifest or an index. */
  readonly target: Descriptor;
  readonly names: readonly string[];
  readonly image: Image;
}

/**
 * An image by name, else by digest or the first digits of one. Of an index it is the image for this machine, else the
 * first that is there whole. Throws IMAGE_NOT_FOUND, also when several begin so.
 */
export async function findImage(store: Store, name: string, opts: Cancel): Promise<FoundImage> {
  const { target, names } = await findTarget(store, name);
  return { target, names, image: await foremostImage(store.blobs, target, hostPlatform(), opts) };
}

/** What the store has under a name, a digest or its first digits, held, and all its names. Throws as `findImage`. */
export async function findTarget(store: Store, name: string): Promise<Pick<FoundImage, 'target' | 'names'>> {
  const target = await store.images.held((images) => match(images, name));
  const all = await store.images.list();
  if (!target) {
    const known = all.flatMap((one) => (one.name === undefined ? [] : [short(one.name)]));
    throw new BuildError('IMAGE_NOT_FOUND', `no image \`${name}\` in the store`, {
      hint: known.length === 0 ? 'the store has no images yet; build one' : `the images are: ${known.join(', ')}`,
    });
  }
  const names = all.filter((one) => one.descriptor.digest === target.digest && one.name !== undefined);
  return { target, names: names.map((one) => short(one.name!)) };
}

/** The name that an image was asked for by, to be given elsewhere: none for a digest, or a name that holds one. */
export async function storeNames(name: string, store: Store): Promise<readonly Reference[]> {
  if (isDigest(name)) return [];
  const reference = withDefaultTag(parseReference(name));
  const isName = reference.digest === undefined && (await store.images.resolve(reference)) !== undefined;
  return isName ? [reference] : [];
}

function match(all: readonly NamedImage[], name: string): Descriptor | undefined {
  const digits = /^(?:sha256:)?([0-9a-f]{6,64})$/.exec(name)?.[1];
  const full = isDigest(name) ? undefined : formatReference(withDefaultTag(parseReference(name)));
  const named = all.find((one) => one.name === full && full !== undefined);
  if (named) return named.descriptor;
  if (digits !== undefined) {
    const found = new Map(
      all
        .filter((one) => one.descriptor.digest.slice('sha256:'.length).startsWith(digits))
        .map((one) => [one.descriptor.digest, one.descriptor]),
    );
    if (found.size > 1) throw new BuildError('IMAGE_NOT_FOUND', `several images begin with \`${digits}\``);
    return [...found.values()][0];
  }
  return undefined;
}

function short(name: string): string {
  return familiarReference(parseReference(name));
}

export interface ListedImage {
  readonly repository?: string;
  readonly tag?: string;
  readonly digest: string;
  readonly created?: string;
  /** Bytes of all layers, uncompressed. */
  readonly size: number;
}

export async function listImages(store: Store, opts: Cancel): Promise<readonly ListedImage[]> {
  const listed: ListedImage[] = [];
  for (const { name, descriptor } of await store.images.list()) {
    const image = await foremostImage(store.blobs, descriptor, hostPlatform(), opts);
    const reference = name === undefined ? undefined : parseReference(name);
    const repository =
      reference && familiarReference({ registry: reference.registry, repository: reference.repository });
    listed.push({
      ...(repository !== undefined && { repository }),
      ...(reference?.tag !== undefined && { tag: reference.tag }),
      digest: descriptor.digest,
      ...(image.config.created !== undefined && { created: image.config.created }),
      size: (await layerSizes(image, store, opts)).reduce((sum, size) => sum + size, 0),
    });
  }
  return listed;
}

export interface HistoryStep {
  readonly created?: string;
  readonly createdBy: string;
  /** Bytes of the layer, uncompressed; 0 for a step without one. */
  readonly size: number;
  readonly emptyLayer: boolean;
}

/** The history of an image, oldest first. */
export async function imageHistory(image: Image, store: Store, opts: Cancel): Promise<readonly HistoryStep[]> {
  const sizes = await layerSizes(image, store, opts);
  let layer = 0;
  return (image.config.history ?? []).map((entry) => ({
    ...(entry.created !== undefined && { created: entry.created }),
    createdBy: entry.created_by ?? entry.comment ?? '',
    size: entry.empty_layer ? 0 : (sizes[layer++] ?? 0),
    emptyLayer: entry.empty_layer ?? false,
  }));
}

/** Uncompressed bytes of each layer, lowest first. */
export async function layerSizes({ manifest, config }: Image, store: Store, opts: Cancel): Promise<readonly number[]> {
  const content = new LayerContent(store);
  const sizes: number[] = [];
  for (const [i, blob] of manifest.layers.entries()) {
    sizes.push(await content.size({ diffId: config.rootfs.diff_ids[i]!, blob }, opts));
  }
  return sizes;
}

/** Takes names away; an image given by digest loses all of them. Gives a line for each thing that was done. */
export async function removeImages(store: Store, names: readonly string[], opts: Cancel): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const name of names) {
    const { target } = await findTarget(store, name);
    const byDigest = /^(?:sha256:)?[0-9a-f]{6,64}$/.test(name) && !(await hasName(store, name));
    const full = byDigest ? undefined : formatReference(withDefaultTag(parseReference(name)));
    const matches = (one: NamedImage): boolean =>
      full === undefined ? one.descriptor.digest === target.digest : one.name === full;
    for (const one of (await store.images.list()).filter(matches)) {
      if (one.name !== undefined) lines.push(`Untagged: ${short(one.name)}`);
    }
    for (const gone of await store.images.remove(matches, opts)) lines.push(`Deleted: ${gone.digest}`);
  }
  return lines;
}

async function hasName(store: Store, name: string): Promise<boolean> {
  const full = formatReference(withDefaultTag(parseReference(name)));
  return (await store.images.list()).some((one) => one.name === full);
}
