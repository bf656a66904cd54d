import { readFileSync, statSync } from 'node:fs';
import { BuildError, hasCode } from '../../base/errors.js';
import { isForeignLayer, isIndexType, isManifestType, type Descriptor } from '../../oci/descriptor.js';
import { digestOf, type Digest } from '../../oci/digest.js';
import { parseImageConfig, parseIndex, parseManifest } from '../../oci/documents.js';
import { formatReference, familiarReference, parseReference } from '../../oci/reference.js';
import { imagesOf } from '../gc/roots.js';
import type { NamedImage } from '../images.js';
import type { StorePaths } from '../paths.js';
import type { Damage } from './types.js';

/** What the images of a store consist of, and what of it is missing or wrong. */
export interface ImagesChecked {
  readonly damage: readonly Damage[];
  /** Names of the images that a blob belongs to. */
  readonly users: ReadonlyMap<Digest, readonly string[]>;
  /** Documents, which have been hashed. */
  readonly hashed: ReadonlySet<Digest>;
}

/** Walks all images: every document is read and hashed, every layer must be there with its size. */
export function checkImages(paths: StorePaths, images: readonly NamedImage[]): ImagesChecked {
  const walk = new ImageWalk(paths);
  for (const { name, descriptor } of images)
    walk.image(name === undefined ? descriptor.digest : short(name), descriptor);
  return walk;
}

class ImageWalk implements ImagesChecked {
  readonly damage: Damage[] = [];
  readonly users = new Map<Digest, readonly string[]>();
  readonly hashed = new Set<Digest>();
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  image(name: string, target: Descriptor): void {
    const missing = this.#document(name, target.digest, target);
    for (const what of missing) this.#tell(name, target.digest, what);
  }

  /** Gives what is wrong below. Of an index one image is enough: others may never have been pulled. */
  #document(name: string, image: Digest, target: Descriptor): readonly Missing[] {
    this.#use(name, target.digest);
    const bytes = this.#read(target);
    if (!Buffer.isBuffer(bytes)) return [bytes];
    try {
      if (isIndexType(target.mediaType)) return this.#index(name, image, target, bytes);
      if (!isManifestType(target.mediaType)) return [];
      const { config, layers } = parseManifest(bytes, `manifest \`${target.digest}\``);
      return [...this.#config(name, config, layers.length), ...layers.flatMap((layer) => this.#layer(name, layer))];
    } catch (error) {
      if (!(error instanceof BuildError) || error.code !== 'IMAGE_INVALID') throw error;
      return [{ what: error.message }];
    }
  }

  #index(name: string, image: Digest, target: Descriptor, bytes: Buffer): readonly Missing[] {
    const { manifests } = parseIndex(bytes, `index \`${target.digest}\``);
    const below = manifests.map((one) => {
      const isThere = statSync(this.#paths.blob(one.digest), { throwIfNoEntry: false }) !== undefined;
      return { isThere, missing: this.#document(name, image, one) };
    });
    if (below.some(({ missing }) => missing.length === 0)) {
      // What was begun to be there and is wrong; not what was left out.
      return below.flatMap(({ isThere, missing }) => (isThere ? missing.filter(({ isWrong }) => isWrong) : []));
    }
    return below.flatMap(({ missing }) => missing);
  }

  #config(name: string, config: Descriptor, layers: number): readonly Missing[] {
    this.#use(name, config.digest);
    const bytes = this.#read(config);
    if (!Buffer.isBuffer(bytes)) return [bytes];
    const { diff_ids: diffIds } = parseImageConfig(bytes, `config \`${config.digest}\``).rootfs;
    return diffIds.length === layers
      ? []
      : [{ what: `config \`${config.digest}\` has ${diffIds.length} diffIDs for ${layers} layers` }];
  }

  #layer(name: string, layer: Descriptor): readonly Missing[] {
    this.#use(name, layer.digest);
    if (isForeignLayer(layer.mediaType)) return [];
    const size = statSync(this.#paths.blob(layer.digest), { throwIfNoEntry: false })?.size;
    if (size === layer.size) return [];
    if (size === undefined) return [{ what: `layer \`${layer.digest}\` is missing` }];
    return [
      { what: `layer \`${layer.digest}\` has ${size} bytes and not ${layer.size}`, wrong: layer.digest, isWrong: true },
    ];
  }

  #read({ digest }: Descriptor): Buffer | Missing {
    try {
      const bytes = readFileSync(this.#paths.blob(digest));
      this.hashed.add(digest);
      if (digestOf(bytes) === digest) return bytes;
      return { what: `document \`${digest}\` does not hash to its digest`, wrong: digest, isWrong: true };
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      return { what: `document \`${digest}\` is missing` };
    }
  }

  #use(name: string, digest: Digest): void {
    const users = this.users.get(digest) ?? [];
    if (!users.includes(name)) this.users.set(digest, [...users, name]);
  }

  #tell(name: string, image: Digest, { what, wrong }: Missing): void {
    const [paths, users] = [this.#paths, wrong === undefined ? [name] : (this.users.get(wrong) ?? [name])];
    if (this.damage.some((one) => one.what === what && one.images.join() === users.join())) return;
    this.damage.push({
      what,
      images: users,
      repair: wrong === undefined ? { kind: 'none' } : { kind: 'blob', digest: wrong },
      isStill: () => imagesOf(paths).includes(image),
    });
  }
}

interface Missing {
  readonly what: string;
  /** The blob whose bytes are wrong; undefined for one that is not there. */
  readonly wrong?: Digest;
  readonly isWrong?: boolean;
}

function short(name: string): string {
  return familiarReference(parseReference(formatReference(parseReference(name))));
}
