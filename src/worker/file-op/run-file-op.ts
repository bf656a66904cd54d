import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { collectGarbage } from '../../base/collect-garbage.js';
import { decompress } from '../../layer/compression.js';
import type { PackItem } from '../../layer/pack.js';
import { passItems } from '../../layer/pass-items.js';
import { whiteoutEntry } from '../../layer/whiteout.js';
import { fromText } from '../../base/bytes.js';
import { VERY_MANY, writeLayer } from '../layer-writer.js';
import type { MachineParts } from '../local-machine.js';
import type { FileOpRequest, RefId } from '../machine.js';
import { contentOf, type OpenView } from '../ref-views.js';
import { scratch } from '../scratch.js';
import type { Change, ChangeSet } from './change-set.js';
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
  const { store, layers, trees } = parts;
  const id = store.refs.newId();
  const written =
    face === 'tree' && trees?.write ? await trees.write(id, parent, (sink) => passItems(items, sink), opts) : undefined;
  if (written?.needsLayer ?? true) {
    const { beginCopy } = parts;
    const isWorth = isOfImage && beginCopy && sizeOf(items) >= WORTH_A_COPY;
    const layer = await writeLayer(items, store, layers, isWorth ? (tar) => beginCopy(tar, opts) : undefined);
    await store.refs.saveLayer(id, layer);
    if (items.length >= MANY) await EarlierLayer.remember(actions, layer, store);
  }
  await store.refs.save({ id, createdAt: now, description, ...(parent !== null && { parent }) });
  return id;
}

function sizeOf(items: readonly PackItem[]): number {
  return items.reduce((sum, { entry }) => sum + entry.size, 0);
}

async function itemsOf(
  { changes }: ChangeSet,
  open: readonly OpenView[],
  scratchDir: string,
  earlier: EarlierLayer | undefined,
): Promise<readonly PackItem[]> {
  const items: PackItem[] = [];
  for (const change of changes.values()) {
    const item = itemOf(change, open, scratchDir, `file-${items.length}`, earlier);
    items.push(item instanceof Promise ? await item : item); // mostly there is nothing to wait for, and there are many
  }
  return items;
}

function itemOf(
  change: Change,
  open: readonly OpenView[],
  scratchDir: string,
  name: string,
  earlier: EarlierLayer | undefined,
): PackItem | Promise<PackItem> {
  if (change.kind === 'removed') return { entry: whiteoutEntry(change.path) };
  const { entry, content } = change;
  if (!content || entry.size === 0) return { entry };
  switch (content.kind) {
    case 'bytes':
      return { entry, content: { kind: 'bytes', bytes: content.data } };
    case 'archive':
      return { entry, content: { kind: 'range', file: fromText(content.file), offset: content.offset } };
    case 'view': {
      const { digest } = content;
      const found = digest === undefined ? undefined : earlier?.find(entry.path, digest);
      if (found && digest !== undefined) return { entry, content: found, digest };
      return contentOf(open[content.input]!, content.path, scratchDir, name).then((from) => ({
        entry,
        content: from,
        ...(digest !== undefined && { digest }),
      }));
    }
  }
}
