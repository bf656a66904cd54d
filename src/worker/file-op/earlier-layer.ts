import type { Cancel } from '../../base/abort.js';
import { fromText, type ByteString } from '../../base/bytes.js';
import { canonicalJson, type Json } from '../../base/canonical-json.js';
import type { PackContent } from '../../layer/pack.js';
import type { TocEntry } from '../../layer/toc.js';
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
  readonly #entries: readonly TocEntry[];
  #next = 0;
  #byPath: Map<ByteString, TocEntry> | undefined;

  private constructor(file: ByteString, entries: readonly TocEntry[]) {
    this.#file = file;
    this.#entries = entries;
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
    const { entries } = await layers.toc(layer, opts);
    return new EarlierLayer(fromText(store.blobs.path(layer.blob.digest)), entries);
  }

  static async remember(actions: readonly FileAction[], { blob }: LayerFact, store: Store): Promise<void> {
    await store.records.saveFact(factOf(actions), { digest: blob.digest, size: blob.size });
  }

  /** Where bytes of this digest lie, if the layer has them at this path. */
  find(path: ByteString, digest: Digest): PackContent | undefined {
    const entry = this.#at(path);
    if (entry?.digest !== digest || entry.dataOffset === undefined || entry.fragments) return undefined;
    return { kind: 'range', file: this.#file, offset: entry.dataOffset, isHashed: true };
  }

  /** What is asked for comes in the order of the tar, with little between. */
  #at(path: ByteString): TocEntry | undefined {
    for (let i = this.#next; i < Math.min(this.#next + NEAR, this.#entries.length); i++) {
      if (this.#entries[i]!.path !== path) continue;
      this.#next = i + 1;
      return this.#entries[i];
    }
    this.#byPath ??= new Map(this.#entries.map((entry) => [entry.path, entry]));
    return this.#byPath.get(path);
  }
}

/** Directories and changed files that may lie between. */
const NEAR = 8;

function factOf(actions: readonly FileAction[]): string {
  return `copied-${hexOf(digestOf(canonicalJson(actions as unknown as Json)))}`;
}

function layerIn(fact: unknown): LayerFact | undefined {
  const { digest, size } = (fact ?? {}) as { readonly digest?: unknown; readonly size?: unknown };
  if (typeof digest !== 'string' || !isDigest(digest) || !Number.isSafeInteger(size)) return undefined;
  // Layers that are packed lie uncompressed, so that one digest names both.
  return { diffId: digest as string as DiffId, blob: { mediaType: mediaTypes.layer, digest, size: size as number } };
}
