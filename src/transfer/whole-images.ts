import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { ContentSource, ContentSink } from '../oci/content.js';
import { isForeignLayer, isIndexType, isManifestType, type Descriptor } from '../oci/descriptor.js';
import { parseIndex, parseManifest } from '../oci/documents.js';
import { readImage, type Image } from '../oci/image.js';
import { matchesPlatform, type Platform } from '../oci/platform.js';
import type { CopyGraphOptions } from './copy-graph.js';

/** A source that may have an image in part: a store, or an archive of one platform of many. */
export type PartialContent = ContentSource & Pick<ContentSink, 'has'>;

/**
 * For `copyGraph`: the images of an index that are there whole. Docker and containerd keep an index with the platforms
 * that were pulled, and write it so into archives. Throws BLOB_NOT_FOUND when no image of the index is whole; a single
 * manifest is not looked into.
 */
export async function wholeImages(
  content: PartialContent,
  root: Descriptor,
  opts: Cancel,
): Promise<NonNullable<CopyGraphOptions['only']>> {
  const whole = new Wholeness(content, opts);
  if (isIndexType(root.mediaType) && !(await whole.of(root))) {
    throw new BuildError('BLOB_NOT_FOUND', `of the images of \`${root.digest}\`, none is there whole`);
  }
  return async (child) => !isDocument(child) || (await whole.of(child));
}

/**
 * The image that stands for `root` where only one can be: of an index the one for `platform`, else the first that is
 * there whole. Throws as `readImage` does.
 */
export async function foremostImage(
  content: PartialContent,
  root: Descriptor,
  platform: Platform,
  opts: Cancel,
): Promise<Image> {
  if (!isIndexType(root.mediaType)) return await readImage(content, root, platform, opts);
  const { manifests } = parseIndex(await content.readDocument(root, opts), `index \`${root.digest}\``);
  const isFor = (one: Descriptor): boolean => one.platform !== undefined && matchesPlatform(one.platform, platform);
  // What BuildKit attests of an image is listed beside it, as of an unknown platform.
  const images = manifests.filter((one) => isDocument(one) && one.platform?.os !== 'unknown');
  const whole = new Wholeness(content, opts);
  for (const one of [...images.filter(isFor), ...images.filter((one) => !isFor(one))]) {
    if (await whole.of(one)) return await foremostImage(content, one, platform, opts);
  }
  return await readImage(content, root, platform, opts);
}

/** What is whole of a content that stays as it is. Each document is judged once, however often and wherever it is listed. */
class Wholeness {
  readonly #content: PartialContent;
  readonly #opts: Cancel;
  readonly #judged = new Map<string, Promise<boolean>>();

  constructor(content: PartialContent, opts: Cancel) {
    this.#content = content;
    this.#opts = opts;
  }

  /** Whether a manifest is there with all that it leads to, or of an index at least one image is. */
  async of(target: Descriptor): Promise<boolean> {
    const key = `${target.mediaType} ${target.digest} ${target.size}`;
    const judged = this.#judged.get(key) ?? this.#judge(target);
    this.#judged.set(key, judged);
    return await judged;
  }

  async #judge(target: Descriptor): Promise<boolean> {
    const [content, opts] = [this.#content, this.#opts];
    if (!(await content.has(target, opts))) return false;
    if (isIndexType(target.mediaType)) {
      const { manifests } = parseIndex(await content.readDocument(target, opts), `index \`${target.digest}\``);
      for (const one of manifests) if (await this.of(one)) return true;
      return false;
    }
    if (!isManifestType(target.mediaType)) return true;
    const bytes = await content.readDocument(target, opts);
    const { config, layers } = parseManifest(bytes, `manifest \`${target.digest}\``);
    for (const one of [config, ...layers]) {
      if (!isForeignLayer(one.mediaType) && !(await content.has(one, opts))) return false;
    }
    return true;
  }
}

function isDocument({ mediaType }: Descriptor): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}
