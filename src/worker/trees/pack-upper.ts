import type { ByteString } from '../../base/bytes.js';
import type { PackItem } from '../../layer/pack.js';
import { whiteoutEntry } from '../../layer/whiteout.js';
import { diffUpper, type DiffOptions } from '../../snapshot/overlay-diff.js';
import type { Change, LowerView } from '../../snapshot/types.js';
import type { LayerFact } from '../../store/refs.js';
import type { Store } from '../../store/store.js';
import type { LayerContent } from '../layer-content.js';
import { writeLayer } from '../layer-writer.js';

/** Packs what the upper directory of an overlay changes against `lower` into a layer of the store. */
export async function packUpper(
  upper: ByteString,
  lower: LowerView,
  store: Store,
  layers: LayerContent,
  opts: DiffOptions,
): Promise<LayerFact> {
  return await writeLayer(itemsOf(await diffUpper(upper, lower, opts)), store, layers);
}

/** Changes as items of a layer. */
export function* itemsOf(changes: Iterable<Change>): Generator<PackItem, void, undefined> {
  for (const change of changes) {
    if (change.kind === 'removed') yield { entry: whiteoutEntry(change.path) };
    else if (change.entry.type !== 'file') yield { entry: change.entry };
    else yield { entry: change.entry, content: { kind: 'file', file: change.contentPath } };
  }
}
