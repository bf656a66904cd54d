import type { Cancel } from '../base/abort.js';
import { fromText } from '../base/bytes.js';
import type { PackItem } from '../layer/pack.js';
import { whiteoutEntry } from '../layer/whiteout.js';
import { diffUpper } from '../snapshot/overlay-diff.js';
import type { Change } from '../snapshot/types.js';
import { writeLayer } from './layer-writer.js';
import type { TreeParts } from './local-machine.js';

/** Makes the layer face of a ref from its tree. */
export async function packRef(ref: string, { store, layers, trees }: TreeParts, opts: Cancel): Promise<void> {
  if (await store.refs.layer(ref)) return;
  const all = await trees.ensure(ref, opts);
  using lower = trees.mount(all.slice(0, -1));
  const upper = fromText(trees.path(all.at(-1)!));
  const changes = await diffUpper(upper, lower.view, opts);
  await store.refs.saveLayer(ref, await writeLayer(itemsOf(changes), store, layers));
}

function* itemsOf(changes: Iterable<Change>): Generator<PackItem, void, undefined> {
  for (const change of changes) {
    if (change.kind === 'removed') yield { entry: whiteoutEntry(change.path) };
    else if (change.entry.type !== 'file') yield { entry: change.entry };
    else yield { entry: change.entry, content: { kind: 'file', file: change.contentPath } };
  }
}
