import type { Cancel } from '../../base/abort.js';
import { fromText, type ByteString } from '../../base/bytes.js';
import { canonicalJson, type Json } from '../../base/canonical-json.js';
import type { PackContent } from '../../layer/pack.js';
import { TocFiles } from '../../layer/saved-toc.js';
import type { FileAction } from '../../llb/types.js';
import { mediaTypes } from '../../oci/descriptor.js';
import { digestOf, hexOf, isDigest, type Digest, type DiffId } from '../../oci/digest.js';
import type { LayerFact } from '../../store/refs.js';
import type { Store } from '../../store/store.js';
import type { LayerContent } from '../layer-content.js';

/**
 * The layer that the same actions gave when they were done last. Most of its files are what is to be packed again, and
 * lie there one behind the other, so they need not be looked for one by one.
 */
export class EarlierLayer {
  readonly #file: ByteString;
  readonly #files: TocFiles;

  private constructor(file: ByteString, files: TocFiles) {
    this.#file = file;
    this.#files = files;
  }

  /** Undefined when there is none any more. It is held by this job from then on. */
  static async open(
    actions: readonly FileAction[],
    store: Store,
    layers: LayerContent,
    opts: Cancel,
  ): Promise<EarlierLayer | undefined> {
    const layer = layerIn(await store.records.fact(factOf(actions)));
    if (!layer || !(await store.blobs.has(layer.blob, opts))) return undefined;
    const table = await layers.knownTable(layer);
    const files = table && TocFiles.in(table);
    return files && new EarlierLayer(fromText(store.blobs.path(layer.blob.digest)), files);
  }

  /** Whether the same actions have ever given a layer worth to be remembered. */
  static async isKnown(actions: readonly FileAction[], store: Store): Promise<boolean> {
    return layerIn(await store.records.fact(factOf(actions))) !== undefined;
  }

  static async remember(actions: readonly FileAction[], { blob }: LayerFact, store: Store): Promise<void> {
    await store.records.saveFact(factOf(actions), { digest: blob.digest, size: blob.size });
  }

  /** Where bytes of this digest lie, if the layer has them at this path. */
  find(path: ByteString, digest: Digest): PackContent | undefined {
    const found = this.#files.find(path);
    if (found?.digest !== digest) return undefined;
    return { kind: 'range', file: this.#file, offset: found.dataOffset, isHashed: true };
  }
}

function factOf(actions: readonly FileAction[]): string {
  return `copied-${hexOf(digestOf(canonicalJson(actions as unknown as Json)))}`;
}

function layerIn(fact: unknown): LayerFact | undefined {
  const { digest, size } = (fact ?? {}) as { readonly digest?: unknown; readonly size?: unknown };
  if (typeof digest !== 'string' || !isDigest(digest) || !Number.isSafeInteger(size)) return undefined;
  // Layers that are packed lie uncompressed, so that one digest names both.
  return { diffId: digest as string as DiffId, blob: { mediaType: mediaTypes.layer, digest, size: size as number } };
}
