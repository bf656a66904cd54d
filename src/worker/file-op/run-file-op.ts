import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { collectGarbage } from '../../base/collect-garbage.js';
import { decompress } from '../../layer/compression.js';
import type { PackItem } from '../../layer/pack.js';
import { passItems } from '../../layer/pass-items.js';
import { PackedLayer, VERY_MANY, type BeginCopy } from '../layer-writer.js';
import type { MachineParts } from '../local-machine.js';
import type { FileAction } from '../../llb/types.js';
import type { FileOpRequest, RefId } from '../machine.js';
import type { OpenView } from '../ref-views.js';
import { scratch } from '../scratch.js';
import { itemsOf } from './change-items.js';
import { EarlierLayer } from './earlier-layer.js';
import { planFileOp } from './plan.js';

/** Changes from which on it is worth it to look at what the same actions gave before. */
const MANY = 500;

/** Bytes of files from which on a layer is worth to be compressed while it is packed. */
const WORTH_A_COPY = 16 * 1024 * 1024;

/**
 * COPY, ADD, WORKDIR: works the changes out in memory, then packs them straight from their sources into a layer, or
 * writes them into a tree, whichever face is wanted.
 */
export async function runFileOp(request: FileOpRequest, parts: MachineParts, opts: Cancel): Promise<readonly RefId[]> {
  const { actions, inputs, face, now } = request;
  using work = scratch(parts.store);
  const open: OpenView[] = [];
  try {
    for (const [i, input] of inputs.entries()) {
      // what a layer is laid on need not be a tree, if nothing is taken from it
      const namesOnly = face === 'layer' && !actions.some((action) => action.secondaryInput === i);
      open.push(await parts.views.open(input, { ...opts, now, namesOnly }));
    }
    const sets = [
      ...(await planFileOp(
        actions,
        open.map((one) => one.view),
        { now: Math.floor(now / 1000), scratchDir: work.dir, decompress, signal: opts.signal },
      )),
    ];
    const refs: RefId[] = [];
    // Each set goes when what is to be packed is taken from it: there may be many files.
    for (let set = sets.shift(); set; set = sets.shift()) {
      const base = set.base < 0 ? undefined : inputs[set.base];
      if (base && base.kind !== 'ref') throw new Error('a file op cannot write onto a local directory');
      const scratchDir = path.join(work.dir, `output-${refs.length}`);
      mkdirSync(scratchDir);
      const many = set.changes.size >= MANY;
      const earlier = many ? await EarlierLayer.open(actions, parts.store, parts.layers, opts) : undefined;
      const items = await itemsOf(set, open, scratchDir, earlier);
      set = undefined;
      if (items.length >= VERY_MANY) collectGarbage(); // the plan of so many files is large, and packing them comes on top
      refs.push(await keep(items, base?.ref ?? null, request, parts, opts));
    }
    return refs;
  } finally {
    for (const one of open) one[Symbol.dispose]();
  }
}

async function keep(
  items: readonly PackItem[],
  parent: RefId,
  { actions, face, isOfImage, now, description }: FileOpRequest,
  parts: MachineParts,
  opts: Cancel,
): Promise<string> {
  const { store, trees } = parts;
  const id = store.refs.newId();
  const written =
    face === 'tree' && trees?.write ? await trees.write(id, parent, (sink) => passItems(items, sink), opts) : undefined;
  if (written?.needsLayer ?? true) {
    await keepLayer(id, await PackedLayer.pack(items, store, copyFor(items, isOfImage, parts, opts)), actions, parts);
  }
  await store.refs.save({ id, createdAt: now, description, ...(parent !== null && { parent }) });
  return id;
}

/** Makes it the layer of a ref, which is not saved yet. */
export async function keepLayer(
  ref: string,
  packed: PackedLayer,
  actions: readonly FileAction[],
  { store, layers }: Pick<MachineParts, 'store' | 'layers'>,
): Promise<void> {
  const isMany = packed.toc.entries.length >= MANY;
  const layer = await packed.keep(layers);
  await store.refs.saveLayer(ref, layer);
  if (isMany) await EarlierLayer.remember(actions, layer, store);
}

/** What follows a layer of these items while it is packed, if any. */
export function copyFor(
  items: readonly PackItem[],
  isOfImage: boolean,
  { beginCopy }: Pick<MachineParts, 'beginCopy'>,
  opts: Cancel,
): BeginCopy | undefined {
  const isWorth = isOfImage && beginCopy && items.reduce((sum, { entry }) => sum + entry.size, 0) >= WORTH_A_COPY;
  return isWorth ? (tar) => beginCopy(tar, opts) : undefined;
}
